// The alarm list's keys and its reading state. The grid draws the rows; what the operator does goes to the server with the
// revision that the row showed at that moment.
"use strict";
window.alarmList = (() => {
  const READING_MS = 15000;  // an operator who has not moved for so long no longer reads: the list follows again
  let api = null, reading = false, touched_ms = -Infinity;

  const symbol = (look, number) =>
    `<svg class="sym ${look}" viewBox="0 0 24 24" aria-hidden="true"><use class="shape" href="#cr-shape-${number}"></use>` +
    `<text x="12" y="16.5">${number}</text><line class="strike" x1="3" y1="21" x2="21" y2="3"></line></svg>`;

  function selected() {
    return api?.getSelectedNodes()[0]?.data ?? null;
  }

  function ask(action, rows) {
    emitEvent("alarm_action", { action, rows: rows.map((row) => [row.id, row.revision]) });
  }

  // Only rows that are wholly on screen: nobody acknowledges what nobody saw.
  function visible() {
    const range = api.getVerticalPixelRange(), found = [];
    api.forEachNodeAfterFilterAndSort((node) => {
      if (node.rowTop >= range.top - 1 && node.rowTop + node.rowHeight <= range.bottom + 1) found.push(node.data);
    });
    return found;
  }

  function touch() {
    touched_ms = performance.now();
    judge();
  }

  function judge() {
    const now = performance.now() - touched_ms < READING_MS;
    if (now !== reading) {
      reading = now;
      emitEvent("alarm_reading", { reading });
    }
  }

  function key(event) {
    if (!api || controlRoom.typing(event) || document.querySelector(".q-dialog")) return;
    const action = KEYS[event.key];
    if (event.key === "n") emitEvent("alarm_show_new", {});
    else if (event.key === "V") ask("acknowledge", visible());
    else if (event.key === "ArrowDown" && !selected()) focus(0);
    else if (action && selected()) ask(action, [selected()]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  let KEYS = {};

  function focus(index) {
    if (!api.getDisplayedRowCount()) return;
    api.ensureIndexVisible(index);
    api.setFocusedCell(index, "symbol");
  }

  function ready(grid, keys) {
    api = grid;
    KEYS = keys;
    const element = document.querySelector(".cr-grid");
    ["pointermove", "pointerdown", "wheel", "keydown"].forEach((kind) => element.addEventListener(kind, touch, { passive: true }));
    document.addEventListener("keydown", key, true);
    setInterval(judge, 1000);
    api.addEventListener("cellFocused", (event) => {
      if (event.rowIndex !== null) api.getDisplayedRowAtIndex(event.rowIndex)?.setSelected(true, true);
    });
  }

  // Add, change, take away, in one go; the row that was selected stays so.
  function change(transaction) {
    api?.applyTransaction(transaction);
  }

  function releaseReading() {
    touched_ms = -Infinity;
    judge();
  }

  return { symbol, ready, change, selected, visible, ask, focus, releaseReading };
})();
