/** Questions from a view to the kernel with answers that may carry binary buffers; events from the kernel to all views. */
import type { AnyModel } from "@anywidget/types";

export interface Answer<T = Record<string, any>> {
  content: T;
  buffers: DataView[];
}

interface Waiting {
  resolve: (answer: Answer<any>) => void;
  reject: (error: Error) => void;
}

type Listener = (content: any, buffers: DataView[]) => void;

export class Link {
  private waiting = new Map<string, Waiting>();
  private listeners = new Map<string, Set<Listener>>();
  private expected = new Map<string, unknown>();
  private traitListeners: [string, () => void][] = [];
  private static count = 0;
  private prefix = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

  constructor(private model: AnyModel<any>) {
    model.on("msg:custom", this.receive);
  }

  /** Ask the kernel's `_ask_<name>`; rejects with the kernel's own sentence when it cannot answer. */
  ask<T = Record<string, any>>(name: string, args: Record<string, unknown> = {}): Promise<Answer<T>> {
    const id = `${this.prefix}-${Link.count++}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.model.send({ ask: name, id, args });
    });
  }

  /** Hear events that the kernel sends to every view of this widget. */
  on(event: string, listener: Listener): void {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event)!.add(listener);
  }

  get<T = any>(name: string): T {
    return (this.expected.has(name) ? this.expected.get(name) : this.model.get(name)) as T;
  }

  /** Set a synced trait and send it. */
  set(name: string, value: unknown): void {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /**
   * Show a trait's coming value at once; the kernel is told by a question and has the last word: call what is given back
   * when it has answered. The model itself is left alone, else the value would be sent with the next trait that is set.
   */
  expect(name: string, value: unknown): () => void {
    this.expected.set(name, value);
    this.hear(name);
    return () => {
      if (this.expected.get(name) !== value) return; // a later one is expected by now
      this.expected.delete(name);
      this.hear(name);
    };
  }

  private hear(name: string): void {
    for (const [event, listener] of this.traitListeners) if (event === `change:${name}`) listener();
  }

  /** Call `listener` now and whenever one of the traits changes. */
  watch(names: string[], listener: () => void): void {
    for (const name of names) {
      this.traitListeners.push([`change:${name}`, listener]);
      this.model.on(`change:${name}`, listener);
    }
    listener();
  }

  destroy(): void {
    this.model.off("msg:custom", this.receive);
    for (const [name, listener] of this.traitListeners) this.model.off(name as any, listener);
    for (const { reject } of this.waiting.values()) reject(new Error("closed"));
    this.waiting.clear();
    this.expected.clear();
    this.listeners.clear();
  }

  private receive = (content: any, buffers: DataView[]): void => {
    if (content?.event) {
      for (const listener of this.listeners.get(content.event) ?? []) listener(content, buffers ?? []);
      return;
    }
    const waiting = this.waiting.get(content?.reply);
    if (!waiting) return; // an answer to another view of the same widget
    this.waiting.delete(content.reply);
    if (content.error) waiting.reject(new Error(content.error));
    else waiting.resolve({ content, buffers: buffers ?? [] });
  };
}

/** The bytes of a buffer as a typed array of its own (the wire gives no alignment). */
export function floats(view: DataView): Float32Array<ArrayBuffer> {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer);
}

export function bytes(view: DataView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer);
}

/** Decode a JPEG, WebP or PNG picture. */
export function decodePicture(view: DataView, mime: string): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([bytes(view)], { type: mime }));
}
