/** The worker: holds the volumes and contours them off the main thread. */
import { surfaceNets, type Shape } from "./surfaceNets.ts";

type Message = { kind: "volume"; id: string; data: Uint8Array; shape: Shape } | { kind: "contour"; id: string; level: number; step: number; ticket: number };

const volumes = new Map<string, { data: Uint8Array; shape: Shape }>();
const scope = self as unknown as { onmessage: (event: MessageEvent<Message>) => void; postMessage: (message: unknown, transfer?: Transferable[]) => void };

scope.onmessage = ({ data: message }) => {
  if (message.kind === "volume") {
    volumes.set(message.id, message);
    return;
  }
  const volume = volumes.get(message.id);
  if (!volume) return;
  const start = performance.now();
  const mesh = surfaceNets(volume.data, volume.shape, message.level, message.step);
  scope.postMessage({ id: message.id, ticket: message.ticket, ...mesh, took_ms: performance.now() - start }, [mesh.positions.buffer, mesh.normals.buffer, mesh.indices.buffer]);
};
