/** What lists, trees and sweeps share to show a job. */
import type { Frame, Translate } from "../kit/frame.ts";

export interface Row { name: string; title: string; title_ja: string; step: string; status: string; progress: number; message: string; eta_s: number | null; error: string; seconds: number | null; parents: string[]; workspace: string; bytes: number; is_news?: boolean; position?: number | null; expected_wait_s?: number | null; origin?: string; saved_s?: number | null }

export const SIGN: Record<string, string> = { queued: "○", running: "▶", finished: "✓", failed: "✗", cancelled: "■" };
export const INK: Record<string, string> = { queued: "var(--spa-ink2)", running: "var(--spa-accent)", finished: "var(--spa-good)", failed: "var(--spa-warn)", cancelled: "#b0669a" };

export const hasEnded = (status: string): boolean => ["finished", "failed", "cancelled"].includes(status);
/** Open a job, or close the open one: known at once, since the next key may act on it; the kernel has the last word. */
export function select(frame: Frame, name: string): void {
  const { link } = frame;
  const settle = link.expect("selected", link.get("selected") === name && !link.get("single") ? "" : name);
  frame.guard(link.ask("select", { name }).finally(settle));
}

/** A figure of a job: its name in words, and its value with the unit. */
export interface FigureRow { words: string; words_ja: string; text: string }
export const wordsOf = (figure: Pick<FigureRow, "words" | "words_ja">, language: string): string => (language === "ja" ? figure.words_ja : figure.words);

export const titleOf = (row: Pick<Row, "title" | "title_ja">, language: string): string => (language === "ja" ? row.title_ja : row.title);

/** When a job that waits will start, as far as can be told. */
export function startsIn(t: Translate, wait_s: number | null | undefined): string {
  return !wait_s ? t("starts_soon") : t("starts_in", { time: duration(wait_s) });
}

/** Place in the line of a job that waits, or who computed the result of one that is finished. */
export function standing(t: Translate, row: Row): string {
  if (row.position) return t("in_line", { position: row.position });
  return row.origin ? t(`computed_${row.origin}`, { time: duration(row.saved_s ?? 0) }) : "";
}

/** The state that says most of several jobs. */
export function worst(states: string[]): string {
  return ["running", "failed", "queued", "cancelled", "finished"].find((state) => states.includes(state)) ?? states[0];
}

/** Does a job contain every word of a search? */
export function found(row: Row, search: string): boolean {
  const text = `${row.name} ${row.title} ${row.title_ja} ${row.step} ${row.status} ${row.workspace} ${row.message} ${row.error}`.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** A duration for people. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** A number of bytes for people. */
export function size(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const value = bytes / 1000 ** power;
  return `${power && value < 100 ? value.toPrecision(2) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}
