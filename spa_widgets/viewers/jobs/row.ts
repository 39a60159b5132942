/** What lists, trees and sweeps share to show a job. */
export interface Row { name: string; title: string; title_ja: string; step: string; status: string; progress: number; message: string; eta_s: number | null; error: string; seconds: number | null; parents: string[] }

export const SIGN: Record<string, string> = { queued: "○", running: "▶", finished: "✓", failed: "✗", cancelled: "■" };
export const INK: Record<string, string> = { queued: "var(--spa-ink2)", running: "var(--spa-accent)", finished: "var(--spa-good)", failed: "var(--spa-warn)", cancelled: "#b0669a" };

/** A duration for people. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}
