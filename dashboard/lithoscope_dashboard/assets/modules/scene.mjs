// Surfaces in one WebGL canvas: whole when at rest, with fewer triangles while they move.

import {
  BufferAttribute, BufferGeometry, Color, DoubleSide, GLTFLoader, Group, Mesh, OrbitControls,
  PerspectiveCamera, RawShaderMaterial, Scene, Vector3, Vector4, WebGLRenderer,
} from "../vendor/three.min.mjs";
import { decimate } from "./decimate.mjs";
import { FRAGMENT, VERTEX } from "./shaders.mjs";

const REST_MS = 250; // after so long at rest the whole surfaces are drawn
const MOVING_TRIANGLES = 20000; // of one class

export class SurfaceScene {
  // on: { lost(), restored() }
  constructor(canvas, on = {}) {
    this.renderer = new WebGLRenderer({ canvas, antialias: false, stencil: false });
    this.renderer.setPixelRatio(Math.min(2, window.devicePixelRatio || 1));
    this.canvas = canvas;
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(35, 1, 1, 1e6);
    this.camera.up.set(0, -1, 0); // y runs down, as in the slices
    this.group = new Group();
    this.scene.add(this.group);
    this.plane = new Vector4(0, 0, 0, 1);
    this.moving = false;
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = false;
    this.controls.listenToKeyEvents(canvas);
    this.controls.addEventListener("change", () => this.move());
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // else the browser never gives it back
      this.isLost = true;
      if (on.lost) on.lost();
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.isLost = false;
      if (on.restored) on.restored();
      this.ask();
    });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.resize();
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.resting);
    cancelAnimationFrame(this.asked);
    this.controls.dispose();
    this.empty();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    this.renderer.setSize(Math.max(1, clientWidth), Math.max(1, clientHeight), false);
    this.camera.aspect = Math.max(1, clientWidth) / Math.max(1, clientHeight);
    this.camera.updateProjectionMatrix();
    this.ask();
  }

  empty() {
    for (const mesh of [...this.group.children]) {
      this.group.remove(mesh);
      mesh.geometry.dispose(); // on the card alone: it may be shown again
      mesh.material.dispose();
    }
  }

  // surfaces: [{ key, colour, whole, fewer, isGhost }] with geometries of read()
  show(surfaces) {
    this.empty();
    for (const each of surfaces) {
      for (const [kind, geometry] of [["whole", each.whole], ["fewer", each.fewer]]) {
        const mesh = new Mesh(geometry, this.material(each));
        mesh.userData = { key: each.key, kind, isGhost: each.isGhost };
        mesh.frustumCulled = false;
        this.group.add(mesh);
      }
    }
    this.ask();
  }

  material({ colour, isGhost }) {
    return new RawShaderMaterial({
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      side: DoubleSide,
      uniforms: {
        colour: { value: new Color().setStyle(isGhost ? "#9fb0c0" : colour, "") },
        clip: { value: this.plane },
        ghost: { value: isGhost ? 1 : 0 },
      },
    });
  }

  // hidden: keys of classes; ghost: whether the scan before is seen
  style(hidden, ghost) {
    this.hidden = hidden;
    this.ghost = ghost;
    this.ask();
  }

  // What lies beyond a plane across an axis is not drawn; null for no plane.
  clip(axis, um) {
    if (axis === null) this.plane.set(0, 0, 0, 1);
    else this.plane.set(-(axis === 0), -(axis === 1), -(axis === 2), um);
    this.ask();
  }

  // bounds: [[x, y, z], [x, y, z]] in µm
  look(bounds) {
    const [low, high] = bounds.map((each) => new Vector3(...each));
    const middle = low.clone().add(high).multiplyScalar(0.5);
    const radius = Math.max(1, high.distanceTo(low) / 2);
    const distance = radius / Math.sin((this.camera.fov * Math.PI) / 360) / Math.min(1, this.camera.aspect);
    this.camera.near = distance / 100;
    this.camera.far = distance * 10;
    this.camera.position.copy(middle).add(new Vector3(0.75, -0.55, -1).setLength(distance * 0.95));
    this.camera.updateProjectionMatrix();
    this.controls.target.copy(middle);
    this.controls.update();
    this.ask();
  }

  move() {
    this.moving = true;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.moving = false;
      this.ask();
    }, REST_MS);
    this.ask();
  }

  ask() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.asked = 0;
    if (this.isLost) return;
    const kind = this.moving ? "fewer" : "whole";
    let triangles = 0;
    for (const mesh of this.group.children) {
      const { key, kind: own, isGhost } = mesh.userData;
      mesh.visible = own === kind && !(this.hidden && this.hidden.has(key)) && (!isGhost || this.ghost);
      if (mesh.visible) triangles += mesh.geometry.index.count / 3;
    }
    this.renderer.render(this.scene, this.camera);
    this.canvas.dataset.triangles = triangles;
    this.canvas.dataset.drawn = kind;
  }
}

// Reads a glTF file: { whole, fewer }.
export async function read(bytes) {
  const found = await new GLTFLoader().parseAsync(bytes, "");
  let whole = null;
  found.scene.updateMatrixWorld(true);
  found.scene.traverse((each) => {
    if (each.isMesh && !whole) whole = each.geometry.applyMatrix4(each.matrixWorld);
  });
  if (!whole) throw new Error("the file holds no surface");
  if (!whole.index) throw new Error("the file has no numbered vertices");
  if (!whole.attributes.normal) whole.computeVertexNormals();
  return { whole, fewer: fewerOf(whole) };
}

export function fewerOf(whole) {
  if (whole.index.count / 3 <= MOVING_TRIANGLES) return whole;
  const { positions, indices } = decimate(whole.attributes.position, whole.index.array, MOVING_TRIANGLES);
  const fewer = new BufferGeometry();
  fewer.setAttribute("position", new BufferAttribute(positions, 3));
  fewer.setIndex(new BufferAttribute(indices, 1));
  fewer.computeVertexNormals();
  return fewer;
}
