/** StepForm: the view. */
import type { RenderProps } from "@anywidget/types";
import { h } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { FormView } from "./form.ts";

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "step_form");
    frame.addKeys([{ keys: ["Ctrl+Enter"], label: frame.t("run") }]);
    frame.root.append(h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, frame.t("step_form")), h("span", { class: "spa-grow" }), frame.ends()));
    frame.whenReady(() => frame.root.append(new FormView(frame).element));
    return frame.close;
  },
};
