/** The list of micrographs: thumbnail, name, count and defocus. Thumbnails are asked for one by one as rows come into sight. */
import { h } from "./dom.ts";
import type { Frame } from "./frame.ts";
import { decodePicture } from "./link.ts";

interface Row { name: string; defocus_A: number | null }
interface Line { element: HTMLElement; badge: HTMLElement; picture: HTMLCanvasElement; asked: boolean; bitmap: ImageBitmap | null }

export class MicrographList {
  readonly element: HTMLElement;
  private lines: Line[] = [];
  private wanted: number[] = [];
  private asking = false;
  private waitForPicture = true;
  private observer: IntersectionObserver | null = null;

  constructor(private frame: Frame, private go: (index: number) => void, private countText?: (index: number) => string) {
    const { link, t } = frame;
    this.element = h("div", { class: "spa-list", role: "listbox", tabIndex: 0, "aria-label": t("micrographs") });
    this.element.addEventListener("keydown", this.onKey);
    if (typeof IntersectionObserver !== "undefined") this.observer = new IntersectionObserver(this.seen, { root: this.element, rootMargin: "60px" });
    frame.onClose(() => this.observer?.disconnect());
    link.watch(["micrographs"], () => this.fill());
    link.watch(["micrographs", "counts"], () => this.refresh());
    link.watch(["micrographs", "current"], () => this.select());
  }

  private onKey = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(this.frame.link.get<number>("current") + step);
  };

  private fill(): void {
    this.observer?.disconnect();
    this.wanted = [];
    this.lines = this.frame.link.get<Row[]>("micrographs").map((row, index) => this.line(row, index));
    this.element.replaceChildren(...this.lines.map((line) => line.element));
    for (const line of this.lines) this.observer?.observe(line.element);
  }

  private line(row: Row, index: number): Line {
    const { t } = this.frame;
    const picture = h("canvas", { class: "spa-thumb", width: 1, height: 1, "aria-hidden": "true" });
    const badge = h("span", { class: "spa-badge" });
    const defocus = row.defocus_A === null ? "" : `${t("defocus")} ${(row.defocus_A / 10000).toFixed(2)} µm`;
    const element = h("div", { class: "spa-row", role: "option", id: `m${index}`, title: row.name, "data-index": index, onclick: () => this.go(index) },
      picture, h("span", { class: "spa-name spa-end" }, h("bdi", {}, row.name.replace(/\.(mrcs?|tiff?)$/i, ""))), h("span", { class: "spa-sub" }, defocus), badge);
    return { element, badge, picture, asked: false, bitmap: null };
  }

  refresh(): void {
    const counts = this.frame.link.get<number[]>("counts") ?? [];
    this.lines.forEach(({ badge }, index) => {
      badge.textContent = this.countText ? this.countText(index) : String(counts[index] ?? 0);
      badge.classList.toggle("spa-some", (counts[index] ?? 0) > 0);
    });
  }

  private select(): void {
    const current = this.frame.link.get<number>("current");
    this.lines.forEach(({ element }, index) => element.setAttribute("aria-selected", String(index === current)));
    const row = this.lines[current]?.element;
    if (!row) return;
    this.element.setAttribute("aria-activedescendant", row.id);
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight]; // scrolls the list only, never the notebook
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (bottom > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = bottom - this.element.clientHeight;
  }

  /** The large picture goes first; from now on thumbnails are asked for. */
  begin(): void {
    if (!this.waitForPicture) return;
    this.waitForPicture = false;
    void this.next();
  }

  private seen = (entries: IntersectionObserverEntry[]): void => {
    for (const entry of entries) {
      const index = Number((entry.target as HTMLElement).dataset.index);
      if (!entry.isIntersecting) this.wanted = this.wanted.filter((each) => each !== index);
      else if (!this.lines[index]?.asked && !this.wanted.includes(index)) this.wanted.push(index);
    }
    void this.next();
  };

  private async next(): Promise<void> {
    if (this.asking || this.waitForPicture) return;
    this.asking = true;
    try {
      for (let index = this.wanted.shift(); index !== undefined; index = this.wanted.shift()) await this.thumbnail(this.lines[index], index);
    } catch {
      // a micrograph that cannot be read says so when it is opened
    } finally {
      this.asking = false;
    }
  }

  private async thumbnail(line: Line, index: number): Promise<void> {
    line.asked = true;
    const { content, buffers } = await this.frame.link.ask<{ mime: string }>("thumbnail", { index });
    line.bitmap = await decodePicture(buffers[0], content.mime);
    [line.picture.width, line.picture.height] = [line.bitmap.width, line.bitmap.height];
    const pen = line.picture.getContext("2d")!;
    pen.filter = "contrast(1.9)";
    pen.drawImage(line.bitmap, 0, 0);
  }

  /** A copy of the thumbnail of a micrograph, where there is one yet. */
  async copyOf(index: number): Promise<ImageBitmap | null> {
    const bitmap = this.lines[index]?.bitmap;
    return bitmap ? createImageBitmap(bitmap) : null;
  }
}
