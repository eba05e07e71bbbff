/*
 * dialogs: questions, and short messages about what came of it.  Nobody needs them before something is pressed.
 */
import { h } from "./parts.js";

/* Asks; a promise of null, or of what was filled in ({} when there was nothing to fill in).
 * fields: [{name, label, type, value, options, hint, must}]; must: the only text that lets it go on. */
export function question({ title, text, action, danger = false, fields = [], wide = false, keep = "Keep as it is" }) {
  return new Promise((resolve) => {
    const id = `q${Math.random().toString(36).slice(2)}`;
    const inputs = fields.map((f) => {
      const common = { id: `${id}-${f.name}`, name: f.name, autocomplete: "off", spellcheck: "false", "aria-describedby": f.hint && `${id}-${f.name}-hint` };
      const input = f.options ? h("select", common, f.options.map((o) => h("option", { value: o, text: o })))
        : h("input", { ...common, type: f.type || "text", placeholder: f.placeholder, inputmode: f.inputmode, min: f.min, max: f.max, required: f.required });
      if (f.value !== undefined) input.value = f.value;
      return { f, input, row: h("label", { class: "field", for: common.id }, h("span", { text: f.label }), input, f.hint && h("small", { id: `${id}-${f.name}-hint`, text: f.hint })) };
    });
    const go = h("button", { type: "submit", class: danger ? "b danger" : "b primary", text: action });
    const ready = () => { go.disabled = inputs.some(({ f, input }) => (f.must && input.value !== f.must) || (f.required && !input.value)); };
    const form = h("form", { method: "dialog", novalidate: true, onsubmit: (e) => {
      e.preventDefault();
      if (go.disabled) return;
      result = Object.fromEntries(inputs.map(({ f, input }) => [f.name, input.value]));
      box.close();
    } }, h("h2", { id: `${id}-title`, text: title }), text && [].concat(text).map((line) => h("p", { text: line })), inputs.map((i) => i.row),
    h("div", { class: "actions" }, h("button", { type: "button", class: "b", text: keep, onclick: () => box.close() }), go));
    let result = null;
    const box = h("dialog", { class: wide ? "wide" : null, "aria-labelledby": `${id}-title`, onclose: () => {
      box.remove();
      resolve(result);
    }, onclick: (e) => { if (e.target === box) box.close(); } }, form);
    form.addEventListener("input", ready);
    ready();
    document.body.append(box);
    box.showModal();
    (inputs[0]?.input || (danger ? form.querySelector("button[type=button]") : go)).focus();
  });
}

export function toast(text, tone = "") {
  const el = h("div", { class: "toast", "data-tone": tone || null, text });
  const place = document.getElementById("toasts");
  while (place.children.length > 3) place.firstChild.remove();
  place.append(el);
  setTimeout(() => el.remove(), tone === "bad" ? 9000 : 4500);
}

/* Do what was confirmed; what the service refuses is said, not thrown. */
export async function attempt(work, done) {
  try {
    const answer = await work();
    if (done) toast(typeof done === "function" ? done(answer) : done, "good");
    return answer === null || answer === undefined ? true : answer;
  } catch (e) {
    if (e.name !== "AbortError") toast(e.status === 403 && e.type === "forbidden" ? `Not allowed: ${e.message}` : `That did not work: ${e.message}`, "bad");
    return null;
  }
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`, "good");
  } catch {
    toast("The browser does not let the page copy here", "bad");
  }
}
