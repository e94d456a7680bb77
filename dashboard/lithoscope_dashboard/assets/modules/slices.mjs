// Fetches planes, checks that they are what was asked for, keeps the newest.

const KEPT_PIXELS = 6e6; // some 30 MB
const kept = new Map(); // by address, oldest first
const decoder = new OffscreenCanvas(1, 1); // one for all: each has memory that waits to be collected

export class Mismatch extends Error {}

export function forget() {
  kept.clear();
}

// One layer of a plane: { about, image } or { about, numbers, width, height }.
export async function fetchLayer(wish, layer, px, signal) {
  const address = addressOf(wish, layer, px);
  const known = kept.get(address);
  if (known) {
    kept.delete(address);
    kept.set(address, known);
    return known;
  }
  const reply = await fetch(address, { signal });
  if (!reply.ok) throw new Error((await reply.json()).error || reply.statusText);
  const about = JSON.parse(reply.headers.get("X-Lithoscope-About"));
  check(about, wish, layer);
  const picture = await createImageBitmap(await reply.blob(), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const made = layer === "image" ? { about, image: picture } : numbersOf(about, picture);
  kept.set(address, made);
  trim();
  return made;
}

function trim() {
  let pixels = 0;
  for (const address of [...kept.keys()].reverse()) {
    const { image, numbers } = kept.get(address);
    pixels += image ? image.width * image.height : numbers.length;
    if (pixels > KEPT_PIXELS) kept.delete(address);
  }
}

export function isKept(wish, px) {
  const layers = wish.labels ? ["image", "labels"] : ["image"];
  return layers.every((layer) => kept.has(addressOf(wish, layer, px)));
}

function addressOf(wish, layer, px) {
  const form = layer === "image" ? "webp" : "png";
  const query = new URLSearchParams({ layer, px, v: wish.token });
  if (wish.box) query.set("box", wish.box.join(","));
  if (layer === "image" && wish.window) {
    query.set("low", wish.window[0]);
    query.set("high", wish.window[1]);
  }
  const name = encodeURIComponent(wish.experiment);
  return `/api/v1/slice/${name}/${wish.scan}/${wish.axis}/${wish.index}.${form}?${query}`;
}

// Labels of one slice must never lie on the grey values of another.
function check(about, wish, layer) {
  const isAsked =
    about.experiment === wish.experiment &&
    about.scan === wish.scan &&
    about.axis === wish.axis &&
    about.index === wish.index &&
    about.layer === layer &&
    (layer !== "image" || String(about.window) === String(wish.window ?? null)) &&
    about.generation === wish.token;
  if (!isAsked) throw new Mismatch(`asked for ${JSON.stringify(wish)}, got ${JSON.stringify(about)}`);
}

// The red channel of a grey picture is the number of the class.
export function numbersOf(about, picture) {
  const { width, height } = picture;
  Object.assign(decoder, { width, height });
  const context = decoder.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  const { data } = context.getImageData(0, 0, width, height);
  const numbers = new Uint8Array(width * height);
  for (let i = 0; i < numbers.length; i++) numbers[i] = data[4 * i];
  return { about, numbers, width, height };
}

// Colours the numbers: those of hidden classes are clear.
export function colourLabels(layer, classes, hidden, canvas) {
  const table = new Uint32Array(256);
  for (const each of classes) {
    if (hidden.has(each.key)) continue;
    const [red, green, blue] = each.rgb;
    table[each.value] = ((each.alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  canvas.width = layer.width;
  canvas.height = layer.height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(layer.width, layer.height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[layer.numbers[i]];
  context.putImageData(picture, 0, 0);
}
