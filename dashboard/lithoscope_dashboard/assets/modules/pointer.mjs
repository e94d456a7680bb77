// Pointer, wheel and keys on a picture: drag moves, a click picks, wheel and + - zoom, arrows step.

const STEP = 1.25;

// on: { changed(), picked(row, column), stepped(planes), hovered(row, column)?, left()? }
export function listenToPointer(canvas, sight, on) {
  const pointers = new Map();
  let travelled = 0;
  let spread = 0;

  function place(event) {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  function spreadOf() {
    const [first, second] = [...pointers.values()];
    return Math.hypot(first[0] - second[0], first[1] - second[1]);
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    travelled = pointers.size === 1 ? 0 : Infinity;
    if (pointers.size === 2) spread = spreadOf();
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    if (on.hovered) on.hovered(...sight.toPicture(...now));
    const before = pointers.get(event.pointerId);
    if (!before) return;
    pointers.set(event.pointerId, now);
    if (pointers.size === 2) {
      const wider = spreadOf();
      sight.zoomAt(...now, wider / Math.max(1, spread));
      spread = wider;
    } else {
      travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
      sight.move(now[0] - before[0], now[1] - before[1]);
    }
    on.changed();
  });
  canvas.addEventListener("pointerup", (event) => {
    const isClick = pointers.delete(event.pointerId) && travelled < 4;
    if (isClick) on.picked(...sight.toPicture(...place(event)));
  });
  canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => on.left && on.left());
  canvas.addEventListener("dblclick", () => {
    sight.reset();
    on.changed();
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      // Else the page could not be scrolled over a picture.
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      sight.zoomAt(...place(event), event.deltaY < 0 ? STEP : 1 / STEP);
      on.changed();
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    const zooms = { "+": STEP, "=": STEP, "-": 1 / STEP };
    if (event.key in steps) on.stepped(steps[event.key]);
    else if (event.key in zooms) {
      sight.zoomAt(sight.width / 2, sight.height / 2, zooms[event.key]);
      on.changed();
    } else if (event.key === "0") {
      sight.reset();
      on.changed();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
