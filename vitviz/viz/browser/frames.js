// Drawing in animation frames.

const MEASURE = "vitviz-draw"; // name of the measure read by `make bench`

export class Frames {
  constructor(draw) {
    this.draw = draw;
    this.drawn = 0;
  }

  // draw at most once per frame
  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      performance.mark(MEASURE);
      this.draw();
      performance.measure(MEASURE, MEASURE);
      performance.clearMarks(MEASURE);
      this.drawn += 1;
      if (this.drawn % 1000 === 0) performance.clearMeasures(MEASURE); // the page may stay open for hours
    });
  }

  // Call `step` in each frame with the elapsed share of the duration, up to 1; only once, with 1, for a duration of 0.
  slide(milliseconds, step) {
    cancelAnimationFrame(this.sliding);
    const start = performance.now();
    const next = (now) => {
      const done = milliseconds ? Math.min(1, Math.max(0, now - start) / milliseconds) : 1;
      step(done);
      if (done < 1) this.sliding = requestAnimationFrame(next);
    };
    if (milliseconds) this.sliding = requestAnimationFrame(next);
    else next(start);
  }

  end() {
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.sliding);
  }
}

// Call `act` once while the browser is idle, with a function that returns true when it should stop. Returns a function that
// cancels the call.
export function whenIdle(act) {
  if (globalThis.requestIdleCallback) {
    const request = requestIdleCallback((deadline) => act(() => deadline.timeRemaining() < 1));
    return () => cancelIdleCallback(request);
  }
  const timer = setTimeout(() => { // Safari
    const until = performance.now() + 8;
    act(() => performance.now() > until);
  }, 30);
  return () => clearTimeout(timer);
}
