import { h } from "./dom.js";

/** A closed box that tells how an answer was made: understanding, model, checks, times. */
export function howItCameAbout({ metadata, corrections }, translator) {
  const t = (key, values) => translator.text(key, values);
  const { usage } = metadata;
  const facts = [
    [
      "how.intent",
      t("how.intentValue", {
        intent: translator.term("intent", metadata.intent),
        source: translator.term("source", metadata.intent_source),
        confidence: translator.number(metadata.intent_confidence, { style: "percent" }),
      }),
    ],
    ["how.retrieval", translator.term("retrieval", metadata.retrieval_mode)],
    ["how.recommended", metadata.recommended_by && translator.term("recommended", metadata.recommended_by)],
    ["how.tier", metadata.model_tier],
    ["how.model", metadata.model_id ?? t("how.noModel")],
    ["how.answeredBy", metadata.answered_by],
    ["how.guardrail", translator.term("guardrail", metadata.guardrail_action)],
    ["how.changes", corrections.map(({ stage, reason }) => `${translator.term("stage", stage)}: ${reason}`).join("\n")],
    ["how.degraded", metadata.degraded?.join(", ")],
    ["how.template", metadata.prompt_template],
    ["how.policy", metadata.policy_version],
    [
      "how.usage",
      usage?.input_tokens > 0 &&
        t("how.usageValue", {
          input: translator.number(usage.input_tokens),
          output: translator.number(usage.output_tokens),
        }),
    ],
    ["how.request", metadata.request_id],
  ];
  return h(
    "details",
    { class: "how" },
    h("summary", {}, t("how.summary")),
    h(
      "dl",
      {},
      facts.filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))),
    ),
    timings(metadata.timings_ms, translator),
  );
}

function timings(stages, translator) {
  const longest = Math.max(1, ...Object.values(stages));
  return h(
    "table",
    { class: "timings" },
    h("caption", {}, translator.text("how.timings")),
    h(
      "tbody",
      {},
      Object.entries(stages).map(([stage, ms]) => {
        const bar = h("span", { class: "timing-bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", String(ms / longest));
        return h(
          "tr",
          { "data-stage": stage },
          h("th", { scope: "row" }, translator.term("timing", stage)),
          h("td", {}, translator.text("timing.ms", { ms: translator.number(ms) })),
          h("td", { class: "timing-track" }, bar),
        );
      }),
    ),
  );
}
