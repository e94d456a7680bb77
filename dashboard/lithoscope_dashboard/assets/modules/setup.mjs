// The form of the next experiment: its questions come from the server, and so does every check.

import { element, setText } from "./dom.mjs";

export function mount(place) {
  const found = { source: {}, values: [] };
  const stream = element("input", { id: "setup-from", placeholder: "tcp://detector:31001", size: 40 });
  const listen = element("button", { id: "setup-listen", class: "plain" }, "Listen for 10 s");
  const heard = element("dl", { id: "setup-heard" });
  const name = element("input", { id: "setup-name", required: true, placeholder: "cell-7" });
  const fields = element("div", { id: "setup-fields" });
  const replaces = element("input", { id: "setup-replaces", type: "checkbox" });
  const write = element("button", { id: "setup-write", class: "plain" }, "Write the file");
  const answer = element("p", { id: "setup-answer", role: "status" });
  place.replaceChildren(
    line("Stream (left empty: the frame link)", stream, listen),
    heard,
    line("Name of the experiment", name),
    fields,
    line("Replace a file that is there", replaces),
    write,
    answer,
  );
  listen.addEventListener("click", () => busy(listen, answer, () => hear(stream.value, heard, found)));
  write.addEventListener("click", () =>
    busy(write, answer, () => send(name.value, fields, replaces.checked, found)),
  );
  questions(fields);
  return { update() {}, close() { place.replaceChildren(); } };
}

function line(text, ...controls) {
  return element("label", { class: "setup-line" }, element("span", {}, text), ...controls);
}

async function questions(fields) {
  const reply = await fetch("/api/v1/setup/values", { cache: "no-store" });
  const { values } = await reply.json();
  for (const each of values) {
    const unit = each.unit ? `, ${each.unit}` : "";
    const attributes = { id: `setup-${each.name}`, "data-option": each.name, title: each.help };
    const control = each.choices.length
      ? element("select", attributes, ...each.choices.map((one) => element("option", {}, one)))
      : element("input", { ...attributes, placeholder: each.default ?? "none" });
    fields.append(line(each.question + unit, control));
  }
  fields.dataset.ready = "yes";
}

async function busy(button, answer, work) {
  button.disabled = true;
  answer.classList.remove("bad");
  setText(answer, "…");
  try {
    setText(answer, await work());
  } catch (error) {
    answer.classList.add("bad");
    setText(answer, error.message);
  } finally {
    button.disabled = false;
  }
}

async function post(path, body) {
  const session = await (await fetch("/api/v1/session", { cache: "no-store" })).json();
  const reply = await fetch(`/api/v1/setup${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf },
    body: JSON.stringify(body),
  });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

async function hear(place, heard, found) {
  const said = await post("/listen", { place });
  found.source = {};
  const rows = [["dialect", said.dialect]];
  if (said.unsupported) rows.push(["not taken", said.unsupported]);
  if (said.frame_shape) rows.push(["frames", `${said.frame_shape.join(" × ")} ${said.dtype}`]);
  if (said.kind_from) rows.push(["kind from", said.kind_from], ["angle from", said.theta_from]);
  for (const need of said.needs) rows.push(["missing", need.what]);
  for (const check of said.checks) rows.push(["wrong", `${check.text}; ${check.advice}`]);
  heard.replaceChildren(
    ...rows.flatMap(([what, text]) => [element("dt", {}, what), element("dd", {}, text)]),
  );
  if (said.unsupported) throw new Error(`${said.dialect} is not taken`);
  for (const [key, value] of Object.entries(said.settings)) {
    const field = document.querySelector(`[data-option="${OPTIONS[key]}"]`);
    if (field) field.value = value;
    else found.source[key] = value;
  }
  return `${said.n_heard} messages were heard; what they say is filled in.`;
}

const OPTIONS = {
  "scan.voxel_size_um": "voxel-um",
  "scan.energy_keV": "energy-kev",
  "scan.distance_mm": "distance-mm",
  "source.n_darks": "darks",
  "source.n_flats": "flats",
  "source.n_projections": "projections",
  "source.n_flats_after": "flats-after",
  "source.folder": "folder",
};

async function send(name, fields, replaces, found) {
  const answers = {};
  for (const field of fields.querySelectorAll("[data-option]")) {
    if (field.value.trim()) answers[field.dataset.option] = field.value.trim();
  }
  const written = await post("", { name, answers, source: found.source, replaces });
  return `Wrote ${written.path}. Then: ${written.command}`;
}
