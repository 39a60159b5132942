/** Pictures that napari draws in the kernel's machine; the view says how large they should be and what it has shown. */
import { throttle } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { decodePicture } from "../kit/link.ts";
import { Stage } from "./stage.ts";

export class Stream extends Stage {
  private pen = this.canvas.getContext("2d")!;
  private asked = "";
  private shown = 0;
  private open = true;

  constructor(private frame: Frame, label: string, moved: () => void) {
    super(label, moved);
    frame.link.on("frame", ({ number }, buffers) => {
      if (!this.open) return;
      frame.guard(decodePicture(buffers[0], "image/jpeg").then((picture) => this.show(number, picture)));
    });
  }

  private show(number: number, picture: ImageBitmap): void {
    if (!this.open || number < this.shown) return;
    this.shown = number;
    [this.canvas.width, this.canvas.height] = [picture.width, picture.height];
    this.pen.drawImage(picture, 0, 0);
    picture.close();
    this.element.dataset.frame = String(number);
    this.frame.guard(this.frame.link.ask("seen", { number }));
  }

  protected paint(width: number, height: number): void {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const ground = `#${this.ground.map((value) => Math.round(255 * value).toString(16).padStart(2, "0")).join("")}`;
    const wish = { width_px: Math.round(width * ratio), height_px: Math.round(height * ratio), zoom: this.scale() * ratio, ground };
    if (JSON.stringify(wish) === this.asked) return;
    this.asked = JSON.stringify(wish);
    this.ask(wish);
  }

  private ask = throttle((wish: Record<string, unknown>) => this.frame.guard(this.frame.link.ask("frames", wish)), 60);

  override destroy(): void {
    this.open = false;
    super.destroy();
  }
}
