// Stream of a camera in a video element.

export const UNAVAILABLE = "The camera is not available; allow it in the browser, which needs https or localhost.";

export class CameraStream {
  constructor(video) {
    Object.assign(this, { video, opening: 0 });
  }

  // Start the camera. Resolves to false if the browser has none or does not allow it.
  async open() {
    const turn = ++this.opening;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (turn !== this.opening) release(stream); // closed meanwhile
      else this.video.srcObject = stream;
      return true;
    } catch {
      return turn !== this.opening;
    }
  }

  close() {
    this.opening += 1;
    if (this.video.srcObject) release(this.video.srcObject);
    this.video.srcObject = null;
  }

  get hasPicture() {
    return this.video.videoWidth > 0 && this.video.srcObject !== null;
  }

  // the present picture as a canvas, reduced to a short side of at most `side` pixels
  picture(side = Infinity) {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, side / Math.min(videoWidth, videoHeight));
    const [width, height] = [videoWidth, videoHeight].map((length) => Math.max(1, Math.round(length * scale)));
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.video, 0, 0, width, height);
    return canvas;
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}
