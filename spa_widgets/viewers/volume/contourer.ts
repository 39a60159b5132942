/** Contours asked of the worker, the latest wish only; on the page itself where workers are forbidden. */
import workerSource from "./contour.worker.ts?worker";
import { surfaceNets, type Mesh, type Shape } from "./surfaceNets.ts";

export class Contourer {
  private worker: Worker | null = null;
  private volumes = new Map<string, { data: Uint8Array; shape: Shape }>();
  private busy = new Map<string, number>();
  private wish = new Map<string, { level: number; step: number }>();
  private ticket = 0;

  constructor(private ready: (id: string, mesh: Mesh) => void) {
    try {
      const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
      this.worker = new Worker(url);
      URL.revokeObjectURL(url);
      this.worker.onmessage = ({ data }) => this.done(data);
      this.worker.onerror = () => { this.worker = null; for (const [id, wish] of this.wish) this.onPage(id, wish); };
    } catch {
      this.worker = null;
    }
  }

  add(id: string, data: Uint8Array, shape: Shape): void {
    this.volumes.set(id, { data, shape });
    this.worker?.postMessage({ kind: "volume", id, data, shape });
  }

  contour(id: string, level: number, step: number): void {
    if (!this.volumes.has(id)) return;
    this.wish.set(id, { level, step });
    if (!this.busy.has(id)) this.start(id);
  }

  private start(id: string): void {
    const wish = this.wish.get(id);
    if (!wish) return;
    if (!this.worker) return this.onPage(id, wish);
    this.wish.delete(id);
    this.busy.set(id, ++this.ticket);
    this.worker.postMessage({ kind: "contour", id, ...wish, ticket: this.ticket });
  }

  private onPage(id: string, wish: { level: number; step: number }): void {
    const volume = this.volumes.get(id)!;
    this.wish.delete(id);
    this.ready(id, surfaceNets(volume.data, volume.shape, wish.level, wish.step));
  }

  private done(message: Mesh & { id: string; ticket: number }): void {
    this.busy.delete(message.id);
    this.ready(message.id, message);
    this.start(message.id);
  }

  destroy(): void {
    this.worker?.terminate();
  }
}
