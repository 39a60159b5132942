/** The history of jobs as a graph from top to bottom; many alike jobs side by side share a node until it is opened. */
import { h, s } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { corner, corners, GAP_X, HEIGHT, MARGIN, rounded, WIDTH } from "./routes.ts";
import { INK, select, SIGN, titleOf, worst, type Row } from "./row.ts";

/** A job or a fold of alike jobs; `implied` are parents that one of the other parents uses already. */
export interface Node { key: string; names: string[]; column: number; level: number; parents: number[]; implied: number[] }
type Placed = Pick<Row, "name" | "step" | "parents" | "workspace">;

// not transparent: lines that share their way would be darker there
const LINE = "color-mix(in srgb, var(--spa-ink2) 60%, var(--spa-bg))";
/** So many jobs of one step on alike inputs become one node. */
export const FOLD_FROM = 4;

/** The key of each job under which those that differ only in parameters, their own or their inputs', are folded. */
export function foldKeys(rows: Placed[]): Map<string, string> {
  const keys = new Map<string, string>();
  const numbers = new Map<string, number>(); // short keys, however long the history
  for (const row of rows) {
    const text = `${row.workspace}|${row.step}|${[...new Set(row.parents.map((parent) => keys.get(parent) ?? ""))].join()}`;
    if (!numbers.has(text)) numbers.set(text, numbers.size);
    keys.set(row.name, `${row.step}#${numbers.get(text)}`);
  }
  return keys;
}

/** Place each job, or fold of jobs, below all that it uses, in the column of its first parent where that is free. */
export function layout(rows: Placed[], open: ReadonlySet<string> = new Set()): Node[] {
  const keys = foldKeys(rows);
  const folds = new Map<string, string[]>();
  for (const [name, key] of keys) folds.set(key, [...(folds.get(key) ?? []), name]);
  const nodeOf = new Map<string, number>();
  const nodes: Node[] = [];
  const taken = new Set<string>();
  const above: Set<number>[] = []; // all that a node uses, directly or not
  for (const row of rows) {
    const key = keys.get(row.name)!;
    const alike = folds.get(key)!;
    const folded = alike.length >= FOLD_FROM && !open.has(key);
    if (folded && alike[0] !== row.name) { nodeOf.set(row.name, nodeOf.get(alike[0])!); continue; }
    const uses = folded ? rows.filter((other) => keys.get(other.name) === key).flatMap((other) => other.parents) : row.parents;
    const parents = [...new Set(uses.map((parent) => nodeOf.get(parent)).filter((index) => index !== undefined))];
    const level = Math.max(-1, ...parents.map((index) => nodes[index].level)) + 1;
    let column = parents.length ? Math.min(...parents.map((index) => nodes[index].column)) : 0;
    while (taken.has(`${column}|${level}`)) column++;
    taken.add(`${column}|${level}`);
    nodeOf.set(row.name, nodes.length);
    const implied = parents.filter((one) => parents.some((other) => above[other].has(one)));
    above.push(new Set(parents.flatMap((parent) => [parent, ...above[parent]])));
    nodes.push({ key, names: folded ? alike : [row.name], column, level, parents, implied });
  }
  return nodes;
}

/** The neighbour of a node in a direction: the nearest whose centre lies that way. */
export function neighbour(nodes: Node[], from: number, key: string): number {
  const at = nodes[from];
  if (!at) return nodes.length ? 0 : -1;
  let found = from;
  let least = Infinity;
  nodes.forEach((node, index) => {
    const [dx, dy] = [node.column - at.column, node.level - at.level];
    const along = { ArrowRight: dx, ArrowLeft: -dx, ArrowDown: dy, ArrowUp: -dy }[key] ?? 0;
    const across = key === "ArrowRight" || key === "ArrowLeft" ? Math.abs(dy) : Math.abs(dx);
    const far = along + 3 * across;
    if (index !== from && along > 0 && far < least) { least = far; found = index; }
  });
  return found;
}

export class Tree {
  readonly element = h("div", { class: "spa-tree" });
  private open = new Set<string>();
  private nodes: Node[] = [];
  private focused = "";

  constructor(private frame: Frame, private redraw: () => void) {
    this.element.addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      event.stopPropagation();
      const boxes = [...this.element.querySelectorAll<SVGElement>("g[tabindex]")];
      const next = neighbour(this.nodes, boxes.indexOf(document.activeElement as unknown as SVGElement), event.key);
      boxes[next]?.focus();
    });
    this.element.addEventListener("focusin", (event) => { this.focused = (event.target as HTMLElement).dataset.node ?? ""; });
    this.element.addEventListener("focusout", (event) => { if (event.relatedTarget) this.focused = ""; });
  }

  paint(rows: Row[], matches: (row: Row) => boolean): void {
    const byName = new Map(rows.map((row) => [row.name, row]));
    this.nodes = layout(rows, this.open);
    const width = Math.max(0, ...this.nodes.map((node) => corner(node)[0])) + WIDTH + GAP_X + MARGIN;
    const height = Math.max(0, ...this.nodes.map((node) => corner(node)[1])) + HEIGHT + MARGIN;
    const svg = s("svg", { width, height, role: "group", "aria-label": this.frame.t("tree"), style: "display: block" });
    const selected = this.frame.link.get<string>("selected");
    const isSelected = (node: Node): boolean => node.names.includes(selected);
    const [plain, bold]: SVGElement[][] = [[], []];
    for (const node of this.nodes) {
      for (const parent of node.parents) {
        const strong = isSelected(node) || isSelected(this.nodes[parent]);
        if (strong || !node.implied.includes(parent)) (strong ? bold : plain).push(this.edge(this.nodes[parent], node, strong));
      }
    }
    svg.append(...plain, ...bold);
    for (const node of this.nodes) svg.append(this.box(node, node.names.map((name) => byName.get(name)!), corner(node), matches));
    const focused = this.focused;
    this.element.replaceChildren(svg);
    if (focused) this.element.querySelector<SVGElement>(`g[data-node="${CSS.escape(focused)}"]`)?.focus();
  }

  private edge(from: Node, to: Node, strong: boolean): SVGElement {
    return s("path", { d: rounded(corners(from, to)), fill: "none", stroke: strong ? "var(--spa-accent)" : LINE, "stroke-width": strong ? 2 : 1.3 });
  }

  private box(node: Node, rows: Row[], [x, y]: [number, number], matches: (row: Row) => boolean): SVGElement {
    const { t, link, language } = this.frame;
    const state = worst(rows.map((row) => row.status));
    const selected = rows.some((row) => row.name === link.get("selected"));
    const folded = rows.length > 1;
    const name = folded ? `${rows[0].name} … ${rows[rows.length - 1].name}` : rows[0].name;
    const title = titleOf(rows[0], language);
    const act = (): void => {
      if (!folded) return select(this.frame, rows[0].name);
      this.open.add(node.key);
      this.focused = rows[0].name;
      this.redraw();
    };
    const label = `${name} ${title} ${t(state)}${folded ? `, ${t("alike", { count: rows.length })}` : ""}`;
    const progress = rows.reduce((sum, row) => sum + (row.status === "running" ? row.progress : Number(row.status !== "queued")), 0) / rows.length;
    const box = s("g", { transform: `translate(${x},${y})`, class: `spa-node${rows.some(matches) ? "" : " spa-faint"}`, tabindex: 0, role: "button", "data-node": rows[0].name, "data-status": state, "aria-label": label, "aria-pressed": selected, onclick: act,
      onkeydown: (event: KeyboardEvent) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); act(); } } },
      s("title", {}, [label, rows[0].error || rows[0].message].filter(Boolean).join("\n")),
      folded && s("rect", { x: 4, y: 4, width: WIDTH, height: HEIGHT, rx: 6, fill: "var(--spa-bg2)", stroke: INK[state] }),
      s("rect", { width: WIDTH, height: HEIGHT, rx: 6, fill: "var(--spa-bg)", stroke: INK[state] ?? "var(--spa-line)", "stroke-width": selected ? 3 : 1.5 }),
      s("text", { x: 9, y: 16, "font-weight": 600, "font-size": 12, fill: INK[state] }, `${SIGN[state] ?? ""} ${name}${rows.some((row) => row.is_news) ? " ●" : ""}`),
      folded && s("text", { x: WIDTH - 9, y: 16, "text-anchor": "end", "font-size": 12, fill: "var(--spa-ink2)" }, `×${rows.length}`),
      s("text", { x: 9, y: 32, "font-size": 11.5, fill: "var(--spa-ink)" }, shortened(title, language === "ja" ? 11 : 21)),
      state === "running" && s("rect", { x: 2, y: HEIGHT - 4, width: (WIDTH - 4) * progress, height: 3, rx: 1.5, fill: "var(--spa-accent)" }));
    return box;
  }
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
