// Sending of many files by a hidden Streamlit uploader, a few at a time.

const ZONE = ".st-key-class_sets_files";
const ERROR = "[data-testid=stFileChipIconError]";
const BATCH = 6; // the server holds at most eight files of a session, see middleware.py
const LOOK_EVERY = 150; // milliseconds
const GRACE = 3000; // milliseconds to wait for the other files after the error of one

export class Sending {
  // `tell` is called when the number of waiting files has changed, `lost` with the number of files that did not arrive and
  // whether the uploader must be replaced.
  constructor({ waiting = [] } = {}, tell, lost) {
    Object.assign(this, { waiting, tell, lost, taken: 0 });
    this.resume();
  }

  get count() {
    return this.waiting.length + (this.sent?.files.length ?? 0);
  }

  // files to be sent by the next instance
  get rest() {
    return { waiting: this.waiting };
  }

  add(files) {
    this.waiting.push(...files);
    this.resume();
    this.tell();
  }

  // The server has received this number of files in all.
  received(taken) {
    if (taken < this.taken) this.sent = this.used = undefined; // a new session
    this.taken = taken;
    this.check();
  }

  resume() {
    if (!this.waiting.length && !this.sent) return;
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY);
  }

  end() {
    clearInterval(this.looking);
    this.looking = undefined;
  }

  // An uploader is replaced once its files have arrived, and files given to it meanwhile are lost.
  look() {
    if (this.sent) return this.check();
    const input = document.querySelector(`${ZONE} input[type=file]`);
    if (!this.waiting.length || !input || input === this.used) {
      if (!this.waiting.length) this.end();
      return;
    }
    const files = this.waiting.splice(0, BATCH);
    const uploader = input.closest("[data-testid=stFileUploader]");
    this.used = input;
    this.sent = { files, input, uploader, before: this.taken };
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  check() {
    const { sent, taken } = this;
    if (!sent) return;
    const arrived = taken - sent.before;
    if (arrived > 0) { // all that arrive are received together
      this.finish(sent.files.length - arrived, false);
    } else if (sent.input.isConnected ? sent.uploader?.querySelector(ERROR) : !document.querySelector(ZONE)) {
      sent.since ??= Date.now();
      if (Date.now() - sent.since < GRACE) return;
      this.finish(sent.files.length, true);
    }
  }

  finish(missing, isStuck) {
    this.sent = undefined;
    if (missing > 0) this.lost(missing, isStuck);
    this.tell();
    this.resume();
  }
}
