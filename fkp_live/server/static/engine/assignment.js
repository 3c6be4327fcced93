/** The cheapest assignment of rows to columns: the Hungarian method with potentials, for a few faces. */

import {tracker} from "./constants.js";

/**
 * As many pairs as possible come first, then the cheapest.
 *
 * @param {number[][]} costs rows of equal length; Infinity is impossible
 * @returns {Map<number, number>} row -> column
 */
export function assign(costs) {
  if (costs.length === 0 || costs[0].length === 0) return new Map();
  const isWide = costs[0].length >= costs.length;
  const cost = (row, column) => {
    const value = isWide ? costs[row][column] : costs[column][row];
    return Number.isFinite(value) ? value : tracker.impossible;
  };
  const [rows, columns] = isWide ? [costs.length, costs[0].length] : [costs[0].length, costs.length];
  const rowOf = cheapest(cost, rows, columns);
  const pairs = new Map();
  for (let column = 0; column < columns; column++) {
    const row = rowOf[column];
    if (row < 0) continue;
    const [i, j] = isWide ? [row, column] : [column, row];
    if (Number.isFinite(costs[i][j])) pairs.set(i, j);
  }
  return pairs;
}

/** @returns {number[]} row of each column, or -1; there are at least as many columns as rows */
function cheapest(cost, rows, columns) {
  // Column 0 stands for "none", as in the usual account of the method; rows and columns count from 1.
  const [rowPotential, columnPotential] = [new Array(rows + 1).fill(0), new Array(columns + 1).fill(0)];
  const rowOf = new Array(columns + 1).fill(0);
  const cameFrom = new Array(columns + 1).fill(0);
  for (let start = 1; start <= rows; start++) {
    rowOf[0] = start;
    let column = 0;
    const least = new Array(columns + 1).fill(Infinity);
    const seen = new Array(columns + 1).fill(false);
    do {
      seen[column] = true;
      const row = rowOf[column];
      let [step, next] = [Infinity, 0];
      for (let j = 1; j <= columns; j++) {
        if (seen[j]) continue;
        const reduced = cost(row - 1, j - 1) - rowPotential[row] - columnPotential[j];
        if (reduced < least[j]) [least[j], cameFrom[j]] = [reduced, column];
        if (least[j] < step) [step, next] = [least[j], j];
      }
      for (let j = 0; j <= columns; j++) {
        if (seen[j]) {
          rowPotential[rowOf[j]] += step;
          columnPotential[j] -= step;
        } else {
          least[j] -= step;
        }
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column !== 0) {
      rowOf[column] = rowOf[cameFrom[column]];
      column = cameFrom[column];
    }
  }
  return rowOf.slice(1).map((row) => row - 1);
}
