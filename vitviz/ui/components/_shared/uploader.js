// Sends files to the server by hidden Streamlit uploaders, one at a time: an uploader is replaced once its file has arrived,
// and files given to it meanwhile are lost. Of several waiting files, only the last one is sent.

const ERROR = "[data-testid=stFileChipIconError]";
const LOOK_EVERY = 150; // milliseconds between checks while an upload is pending
const LONGEST_NAME = 200; // characters, as in vitviz/ui/app/uploads.py

export class Uploader {
  // `lost` is called with a file that did not arrive and the zone to which it was sent, `done` when nothing is left to send.
  constructor(lost, done = () => {}) {
    Object.assign(this, { lost, done });
  }

  get isBusy() {
    return Boolean(this.waiting || this.sent);
  }

  end() {
    clearInterval(this.looking);
    this.looking = undefined;
  }

  // `zone` is the key of the uploader, see vitviz/ui/app/uploads.py
  send(zone, file) {
    this.waiting = { zone, file };
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY);
    this.look();
  }

  look() {
    const { sent, waiting } = this;
    if (sent && sent.input.isConnected) {
      if (!sent.uploader?.querySelector(ERROR)) return;
      this.sent = undefined;
      this.failed = sent.input;
      this.lost(sent.file, sent.zone);
    } else this.sent = undefined;
    const input = waiting && document.querySelector(`.st-key-${waiting.zone} input[type=file]`);
    if (input && input !== this.failed) {
      this.waiting = undefined;
      this.sent = { ...waiting, input, uploader: input.closest("[data-testid=stFileUploader]") };
      const files = new DataTransfer();
      files.items.add(waiting.file);
      input.files = files.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
    if (this.isBusy) return;
    this.end();
    this.done();
  }
}

// The first image among the files of a transfer, else the first file, which the server rejects with a message; undefined if
// there is none.
export function imageOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find(({ type }) => type.startsWith("image/")) ?? files[0];
}

// A pasted image is called image.png by browsers.
export function pasted(file) {
  return file?.name === "image.png" ? new File([file], "pasted.png", { type: file.type }) : file;
}

export function shortName({ name }) {
  return name.slice(0, LONGEST_NAME);
}
