/** A recording: results as JSON lines, kept as blobs, which browsers may put on the disk, and as CSV on demand. */

import { rows } from "./table.js";

/** Lines that are kept as text before they become a blob. */
const PART = 300;

export class Recording {
  /**
   * @param {object} header what the first line says: version, source, model, provider, options
   * @param {{schema: string, csv_columns: string[], least_success: number}} facts of Python's side
   */
  constructor(header, facts) {
    this.facts = facts;
    this.name = header.source.name;
    this.frames = 0;
    /** @type {Blob[]} parts of whole lines, without the header */
    this.parts = [];
    this.lines = [];
    this.header = `${JSON.stringify({ schema: facts.schema, ...header })}\n`;
  }

  /** Add a JSONL frame object. */
  add(result) {
    this.lines.push(`${JSON.stringify(result)}\n`);
    this.frames += 1;
    if (this.lines.length >= PART) this.pack();
  }

  /** @returns {Blob} as `fkp-live --jsonl` writes it */
  jsonl() {
    this.pack();
    return new Blob([this.header, ...this.parts], { type: "application/jsonl" });
  }

  /** @returns {Promise<Blob>} as `fkp-live --csv` writes it; made part by part, so that memory stays flat */
  async csv() {
    this.pack();
    const { csv_columns: columns, least_success: least } = this.facts;
    const made = [`${columns.join(",")}\n`];
    for (const part of this.parts) {
      const lines = (await part.text()).trimEnd().split("\n");
      made.push(new Blob(lines.map((line) => rows(JSON.parse(line), columns, least))));
    }
    return new Blob(made, { type: "text/csv" });
  }

  pack() {
    if (!this.lines.length) return;
    this.parts.push(new Blob(this.lines));
    this.lines = [];
  }
}
