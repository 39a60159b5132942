/** The table of all micrographs: sorted by a click on a heading, a row for each, accepted or not by a click on its mark. */
import { h } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { FACTS, type Fact, known, type Reason, type Row, shown } from "./choice.ts";

type Column = Fact | "name";

/** Numbers of the rows by a column, up (1) or down (-1); what is not known comes last. */
export function ordered(rows: Row[], by: Column, direction: number): number[] {
  const value = (index: number): string | number => (by === "name" ? rows[index].name : shown(rows[index], by));
  const compare = (a: number, b: number): number => {
    const [p, q] = [value(a), value(b)];
    if (typeof p === "string" || typeof q === "string") return direction * String(p).localeCompare(String(q), "en", { numeric: true });
    if (Number.isNaN(p) || Number.isNaN(q)) return Number(Number.isNaN(p)) - Number(Number.isNaN(q));
    return direction * (p - q);
  };
  return rows.map((_, index) => index).sort((a, b) => compare(a, b) || a - b);
}

function text(row: Row, fact: Fact): string {
  const value = shown(row, fact);
  return Number.isFinite(value) ? value.toFixed(FACTS[fact].digits) : "–";
}

export class MicrographTable {
  readonly element = h("table", { class: "spa-table spa-wrapped" });
  order: number[] = [];
  private rows: Row[] = [];
  private lines: HTMLTableRowElement[] = [];
  private marks: HTMLElement[] = [];
  private heads = new Map<Column, HTMLElement>();
  private by: Column = "name";
  private direction = 1;

  constructor(private frame: Frame, private go: (index: number) => void, private toggle: (index: number) => void) {
    this.element.setAttribute("aria-label", frame.t("micrographs"));
  }

  setRows(rows: Row[]): void {
    const { t } = this.frame;
    this.rows = rows;
    const facts = known(rows);
    const head = (column: Column, text: string): HTMLElement => {
      const button = h("button", { class: "spa-plain", onclick: () => this.sort(column) }, text);
      const cell = h("th", { scope: "col" }, button);
      this.heads.set(column, cell);
      return cell;
    };
    const heads = facts.map((fact) => head(fact, FACTS[fact].unit ? `${t(FACTS[fact].key)} (${FACTS[fact].unit})` : t(FACTS[fact].key)));
    this.marks = rows.map((_, index) => h("button", { class: "spa-plain spa-mark", onclick: (event: Event) => { event.stopPropagation(); this.toggle(index); } }));
    this.lines = rows.map((row, index) => h("tr", { onclick: () => this.go(index), "data-row": index },
      h("td", { title: row.name }, h("span", { class: "spa-row-name" }, this.marks[index], h("span", { class: "spa-end" }, h("bdi", {}, row.name.replace(/\.(mrcs?|tiff?)$/i, ""))))), ...facts.map((fact) => h("td", {}, text(row, fact)))));
    this.element.replaceChildren(h("thead", {}, h("tr", {}, head("name", t("micrograph")), ...heads)), h("tbody"));
    this.arrange();
  }

  update(reasons: Reason[][], current: number): void {
    const { t } = this.frame;
    this.lines.forEach((line, index) => {
      const good = !reasons[index].length;
      if (line.classList.contains("spa-off") === good || !this.marks[index].textContent) {
        line.classList.toggle("spa-off", !good);
        this.marks[index].textContent = good ? "✓" : "✗";
      }
      const why = reasons[index].map((reason) => t(reason in FACTS ? FACTS[reason as Fact].key : reason)).join(", ");
      this.marks[index].title = good ? t("reject") : `${t("accept")} (${why})`;
      this.marks[index].setAttribute("aria-label", `${this.rows[index].name}: ${this.marks[index].title}`);
      line.setAttribute("aria-selected", String(index === current));
    });
  }

  /** Bring a row into sight, without moving the page. */
  reveal(index: number): void {
    const [line, box] = [this.lines[index], this.element.parentElement];
    if (!line || !box) return;
    const [top, bottom] = [line.offsetTop - 48, line.offsetTop + line.offsetHeight];
    if (top < box.scrollTop) box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  }

  private sort(column: Column): void {
    this.direction = this.by === column ? -this.direction : 1;
    this.by = column;
    this.arrange();
  }

  private arrange(): void {
    this.order = ordered(this.rows, this.by, this.direction);
    for (const [column, cell] of this.heads) cell.setAttribute("aria-sort", column !== this.by ? "none" : this.direction > 0 ? "ascending" : "descending");
    this.element.tBodies[0]?.replaceChildren(...this.order.map((index) => this.lines[index]));
  }
}
