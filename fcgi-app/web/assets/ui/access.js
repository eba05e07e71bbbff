/*
 * access: who is here: the question for a token, and what it allows beside the keys.
 */
import { may, setToken, signIn, tokenIsSet } from "./api.js";
import { question } from "./dialogs.js";
import { button, h } from "./parts.js";

/* wrong: one was given that the service does not know.  A promise of a token, or "". */
export async function askToken(wrong) {
  const got = await question({
    title: "Token", action: "Sign in", keep: "Not now",
    text: [wrong ? "The service does not know this token." : "The service wants to know who asks.", "The token stays in this tab, and goes when it is closed."],
    fields: [{ name: "token", label: "Bearer token", type: "password", required: true, hint: "As hoist-fcgi --new-token printed it" }],
  });
  return got ? got.token.trim() : "";
}

const KEYS = [
  ["/", "Search"], ["g o", "Overview"], ["g j", "Jobs"], ["g w", "Workers"], ["g u", "Upload"],
  ["j k", "Next, previous row"], ["x", "Pick the row"], ["Enter", "Open the row"], ["n p", "Next page, back"], ["t", "Colours"], ["?", "This"],
];

export function about() {
  const row = ([key, text]) => h("div", {}, h("dt", {}, key.split(" ").map((k) => h("kbd", { text: k }))), h("dd", { text }));
  const scopes = ["read", "upload", "admin"].map((scope) => h("span", { class: "badge", "data-state": may(scope) ? "done" : "cancelled" }, h("i", { "aria-hidden": "true" }), h("span", { text: `${scope}${may(scope) ? "" : ": no"}` })));
  const box = h("dialog", { "aria-labelledby": "about-title", onclose: () => box.remove(), onclick: (e) => { if (e.target === box) box.close(); } },
    h("h2", { id: "about-title", text: "Keys and access" }), h("dl", { class: "keys" }, KEYS.map(row)),
    h("p", { class: "scopes" }, tokenIsSet() ? "Signed in with a token. " : "Without a token. ", scopes),
    h("div", { class: "actions" },
      tokenIsSet() && button("Sign out", null, () => { setToken(""); box.close(); location.reload(); }),
      button(tokenIsSet() ? "Use another token" : "Use a token", "key", () => { box.close(); void signIn(); }),
      h("button", { type: "button", class: "b primary", text: "Close", onclick: () => box.close() })));
  document.body.append(box);
  box.showModal();
}
