"""A dashboard of its own on a stored volume, and what a browser does with it."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from lithoscope_messages import FactMessage, adapter_of
from lithoscope_store import JournalDatabase, LabelClass, Store
from lithoscope_store.volumes import create_labels, create_volume, finish_volume, write_slab

NAME = "bench"
SHA = "0" * 64
# Without a graphics card, as on the machines that this runs on.
FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
_FACTS = adapter_of(FactMessage)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open a Chromium that draws WebGL by the processor."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise RuntimeError("needs a Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def dashboard(store: Path) -> Iterator[str]:
    """Run a dashboard on stored experiments; gives its address."""
    with tempfile.TemporaryDirectory(prefix="ls-") as folder:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lithoscope_dashboard", "--port", "0"),
                *("--store", str(store), "--runtime-dir", folder),
            ],
            stderr=subprocess.DEVNULL,
        )
        announced = Path(folder) / "dashboard.json"
        end_s = time.monotonic() + 120
        while not announced.exists() and time.monotonic() < end_s:
            time.sleep(0.05)
        yield str(json.loads(announced.read_text())["url"])
        process.terminate()
        process.wait(20)


def store_volume(root: Path, *, side: int, depth: int) -> Store:
    """Store an experiment of one scan: noise with labels in layers.

    Noise is the worst for reading: it hardly compresses.
    """
    store = Store(root)
    paths = store.experiment(NAME)
    paths.create()
    volume = paths.volume(0, SHA)
    shape = (depth, side, side)
    info = create_volume(volume, shape=shape, voxel_um=1.33, name=NAME, window=(0.0, 1.0))
    create_labels(volume, "cell", (LabelClass(7, "electrolyte", (240, 228, 66, 255)),))
    rows = np.broadcast_to(np.arange(side)[:, np.newaxis] * 9 // side, (side, side))
    rng = np.random.default_rng(0)
    for z0 in range(0, depth, info.slab_slices):
        n_slices = min(info.slab_slices, depth - z0)
        slab = rng.normal(0.5, 0.1, (n_slices, side, side)).astype(np.float32)
        write_slab(volume, z0, slab)
        labels = np.broadcast_to(rows, slab.shape).astype(np.uint8)
        write_slab(volume, z0, np.ascontiguousarray(labels), label="cell")
    finish_volume(volume)
    common: dict[str, Any] = {"experiment": NAME, "time_ns": 1, "producer": "segment"}
    fact = {
        **{"type": "LabelsReady", "key": "labels", "scan": 0, "work_key": SHA, **common},
        **{"path": paths.relative(volume), "shape": shape, "voxel_um": 1.33},
        **{"sha256": SHA, "model": "none"},
    }
    with closing(JournalDatabase(paths.journal, NAME)) as database:
        database.append([_FACTS.validate_python(fact)])
    return store


def time_slices(url: str, *, depth: int, query: str, repeats: int) -> tuple[float, float, int]:
    """Ask for planes that nobody has asked for; median and greatest time, ms, and bytes."""
    times_ms, n_bytes = [], 0
    for index in range(repeats):
        place = 1 + index * max(1, (depth - 2) // repeats)
        address = f"{url}api/v1/slice/{NAME}/0/z/{place}.{query}"
        begin_s = time.perf_counter()
        with urllib.request.urlopen(address) as reply:
            n_bytes = len(reply.read())
        times_ms.append(1000 * (time.perf_counter() - begin_s))
    return statistics.median(times_ms), max(times_ms), n_bytes


def time_frames(page: Page, *, n_triangles: int, frames: int) -> dict[str, float]:
    """Draw a mesh while it turns, by our scene and by bare WebGL, frame about frame; ms each."""
    found: dict[str, float] = page.evaluate(
        _FRAMES_JS, {"triangles": n_triangles, "frames": frames}
    )
    return found


# Both draw the same triangles with the same shaders on canvases of one size; a pixel is read
# back after each frame, for else a frame is only asked for.
_FRAMES_JS = """
async ({ triangles, frames }) => {
  const three = await import("/assets/vendor/three.min.mjs");
  const { SurfaceScene, fewerOf } = await import("/assets/modules/scene.mjs");
  const { VERTEX, FRAGMENT } = await import("/assets/modules/shaders.mjs");
  const n = Math.round(Math.sqrt(triangles / 2));
  const places = new Float32Array(3 * (n + 1) * (n + 1));
  const numbers = [];
  for (let i = 0; i <= n; i++) for (let j = 0; j <= n; j++) {
    const [u, v] = [(2 * Math.PI * i) / n, (Math.PI * j) / n];
    const r = 100 * (1 + 0.1 * Math.sin(9 * u) * Math.sin(11 * v));
    places.set([r * Math.cos(u) * Math.sin(v), r * Math.cos(v), r * Math.sin(u) * Math.sin(v)],
      3 * (i * (n + 1) + j));
    if (i < n && j < n) {
      const a = i * (n + 1) + j;
      numbers.push(a, a + 1, a + n + 1, a + 1, a + n + 2, a + n + 1);
    }
  }
  const whole = new three.BufferGeometry();
  whole.setAttribute("position", new three.BufferAttribute(places, 3));
  whole.setIndex(new three.BufferAttribute(new Uint32Array(numbers), 1));
  whole.computeVertexNormals();
  const fewer = fewerOf(whole);
  const canvasOf = () => {
    const canvas = document.createElement("canvas");
    canvas.style.cssText = "position:fixed;left:0;top:0;width:900px;height:600px";
    document.body.append(canvas);
    return canvas;
  };
  const scene = new SurfaceScene(canvasOf());
  scene.renderer.setPixelRatio(1);
  scene.resize();
  scene.show([{ key: "a", colour: "#d55e00", whole, fewer, isGhost: false }]);
  scene.look([[-110, -110, -110], [110, 110, 110]]);
  const bare = bareScene(canvasOf(), fewer);
  const read = (gl) => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  const took = { ours: [], bare: [], whole: [] };
  const ours = (kind, moving) => {
    scene.moving = moving;
    const begin = performance.now();
    scene.draw();
    read(scene.renderer.getContext());
    took[kind].push(performance.now() - begin);
  };
  for (let frame = 0; frame < frames + 3; frame++) {
    scene.camera.position.applyAxisAngle(new three.Vector3(0, 1, 0), 0.05);
    scene.camera.lookAt(0, 0, 0);
    scene.camera.updateMatrixWorld();
    ours("ours", true);
    const begin = performance.now();
    bare.draw(scene.camera.matrixWorldInverse.elements, scene.camera.projectionMatrix.elements);
    read(bare.gl);
    took.bare.push(performance.now() - begin);
    ours("whole", false);
  }
  const middle = (all) => all.slice(3).sort((a, b) => a - b)[Math.floor(frames / 2)];
  const ratios = took.ours.map((each, i) => each / took.bare[i]);
  return { ours: middle(took.ours), bare: middle(took.bare), whole: middle(took.whole),
    ratio: middle(ratios), fewer: fewer.index.count / 3, all: whole.index.count / 3 };

  function bareScene(canvas, geometry) {
    canvas.width = 900;
    canvas.height = 600;
    const gl = canvas.getContext("webgl", { antialias: false });
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    for (const name of ["position", "normal"]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, geometry.attributes[name].array, gl.STATIC_DRAW);
      const place = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    }
    gl.getExtension("OES_element_index_uint");
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, geometry.index.array, gl.STATIC_DRAW);
    const at = (name) => gl.getUniformLocation(program, name);
    gl.uniform3f(at("colour"), 0.8, 0.4, 0.0);
    gl.uniform4f(at("clip"), 0, 0, 0, 1);
    gl.enable(gl.DEPTH_TEST);
    gl.viewport(0, 0, 900, 600);
    return { gl, draw(view, projection) {
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.uniformMatrix4fv(at("modelViewMatrix"), false, view);
      gl.uniformMatrix4fv(at("projectionMatrix"), false, projection);
      gl.drawElements(gl.TRIANGLES, geometry.index.count, gl.UNSIGNED_INT, 0);
    } };
  }
}
"""
