// The slice viewer, and the watch over the line to the server.
(function () {
  "use strict";

  const AXES = ["z", "y", "x"];
  const AXIS_NAMES = { z: "cross-section", y: "in-plane section", x: "side view" };
  let wanted = 0; // number of the newest wish; answers to older ones are dropped
  let shown = null; // what is on the screen: size in voxels, voxel size

  function load(address) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(address);
      image.onerror = () => reject(new Error(address));
      image.src = address;
    });
  }

  function set(id, props) {
    window.dash_clientside.set_props(id, props);
  }

  function show(source, scan, axis, position) {
    const wish = ++wanted;
    const about = source.scans[String(scan)];
    if (!about) {
      shown = null;
      set("slice-image", { src: null, alt: "" });
      set("slice-labels", { src: null });
      set("slice-none", { children: `scan ${scan} has no volume yet`, hidden: false });
      set("slice-caption", { children: "" });
      drawScale();
      return;
    }
    const normal = AXES.indexOf(axis);
    const planes = about.shape[normal];
    const index = Math.round((position / 100) * (planes - 1));
    const base = `/api/v1/slice/${source.experiment}/${scan}/${axis}/${index}.png`;
    const image = `${base}?layer=image&v=${about.token}`;
    const labels = about.labels ? `${base}?layer=labels&v=${about.token}` : null;
    // Both or none: labels of one slice must never lie on the grey values of another.
    Promise.all([load(image), labels ? load(labels) : Promise.resolve(null)]).then(
      () => {
        if (wish !== wanted) return;
        const sides = about.shape.filter((_, each) => each !== normal);
        shown = { rows: sides[0], columns: sides[1], voxel_um: about.voxel_um };
        const place = (index * about.voxel_um).toFixed(1);
        const text = `${AXIS_NAMES[axis]} of scan ${scan}, ${axis} = ${index} of ${planes}`;
        set("slice-image", { src: image, alt: text });
        set("slice-labels", { src: labels, hidden: !labels });
        set("slice-none", { hidden: true });
        set("slice-caption", {
          children:
            `${text} (${place} µm) · field ${um(sides[1], about)} × ${um(sides[0], about)} µm` +
            ` · voxel ${about.voxel_um.toPrecision(3)} µm` +
            (labels ? "" : " · no labels yet"),
        });
        drawScale();
      },
      () => {
        if (wish !== wanted) return;
        set("slice-none", { children: `scan ${scan} cannot be read`, hidden: false });
      },
    );
    set("position-slider-text", { children: `${index} / ${planes - 1}` });
  }

  function um(voxels, about) {
    return (voxels * about.voxel_um).toFixed(0);
  }

  // A bar of 1, 2 or 5 times a power of ten that is about a quarter of the picture.
  function drawScale() {
    const frame = document.querySelector(".slice-frame");
    const bar = document.getElementById("scale-bar");
    const text = document.getElementById("scale-text");
    if (!frame || !bar || !text) return;
    bar.classList.toggle("shown", shown !== null);
    if (!shown) return;
    const zoom = Math.min(frame.clientWidth / shown.columns, frame.clientHeight / shown.rows);
    const quarter_um = (shown.columns * shown.voxel_um) / 4;
    const power = Math.pow(10, Math.floor(Math.log10(quarter_um)));
    const length_um = [5, 2, 1].find((each) => each * power <= quarter_um) * power;
    bar.style.width = `${(length_um / shown.voxel_um) * zoom}px`;
    text.textContent = `${length_um} µm`;
  }

  // Which scan is looked at: the newest while that is followed, else the one that was chosen.
  function look(source, scan, follow, axis, position) {
    const same = window.dash_clientside.no_update;
    if (!source || source.newest === null || source.newest === undefined) {
      return [same, same, same];
    }
    const triggers = window.dash_clientside.callback_context.triggered.map((each) => each.prop_id);
    let follows = (follow || []).includes("newest");
    if (triggers.length === 1 && triggers[0] === "scan-slider.value") {
      follows = scan === source.newest;
    }
    const chosen = follows ? source.newest : scan;
    set("scan-slider-text", { children: `${chosen} / ${source.last}` });
    show(source, chosen, axis, position);
    return [Math.max(source.last, 1), chosen, follows ? ["newest"] : []];
  }

  function fade(percent) {
    return [{ opacity: percent / 100 }, `${percent} %`];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    lithoscope: { look, fade },
  });
  window.addEventListener("resize", drawScale);

  // A frozen page that looks live is the worst failure: say so when the server falls silent.
  const SILENT_MS = 5000;
  let beat = null;
  let heard = Date.now();
  setInterval(() => {
    const now = document.getElementById("beat");
    if (!now) return;
    if (now.textContent !== beat) {
      beat = now.textContent;
      heard = Date.now();
    }
    const isSilent = Date.now() - heard > SILENT_MS;
    document.body.classList.toggle("silent", isSilent);
    const note = document.getElementById("stale-note");
    const since = new Date(heard).toLocaleTimeString("en-GB");
    note.textContent = isSilent ? `No news from the dashboard since ${since}: this page is old` : "";
  }, 500);
})();
