/** Plotly for the page: asked for by the first view, shared by all others. */
import { bytes, type Link } from "../../viewers/kit/link.ts";

export interface Plotly {
  react(element: HTMLElement, data: object[], layout: object, config: object): Promise<unknown>;
  purge(element: HTMLElement): void;
  Plots: { resize(element: HTMLElement): void };
}

const page = globalThis as { spaPlotly?: Promise<Plotly> };

async function load(link: Link): Promise<Plotly> {
  const { buffers } = await link.ask("plotly");
  const unpacked = new Blob([bytes(buffers[0])]).stream().pipeThrough(new DecompressionStream("deflate"));
  const address = URL.createObjectURL(new Blob([await new Response(unpacked).text()], { type: "text/javascript" }));
  try {
    return ((await import(/* @vite-ignore */ address)) as { default: Plotly }).default;
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Give plotly; the first call on a page brings it from the kernel. */
export function plotly(link: Link): Promise<Plotly> {
  page.spaPlotly ??= load(link).catch((error) => {
    page.spaPlotly = undefined;
    throw error;
  });
  return page.spaPlotly;
}
