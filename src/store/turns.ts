/** Turns of the event loop, one for each who waits, in the order of their arrival: much work of one kind leaves room for
 *  everything else in between. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push(wake);
      if (this.#waiting.length === 1) setImmediate(this.#grant);
    });
  }

  readonly #grant = (): void => {
    const wake = this.#waiting[0];
    if (this.#waiting.length > 1) setImmediate(this.#grant);
    this.#waiting.shift();
    wake?.();
  };
}
