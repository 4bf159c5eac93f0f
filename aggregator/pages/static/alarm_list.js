// The alarm list's keys and its reading state. The grid draws the rows; what the operator does goes to the server with the
// revision that the row showed at that moment.
"use strict";
window.alarmList = (() => {
  const BEGIN_MS = 10000;
  const READING_MS = 15000;  // an operator who has not moved for so long no longer reads: the list follows again
  let api = null, waiting = [], KEYS = [], reading = false, touched_ms = -Infinity;

  const symbol = (look, number) =>
    `<svg class="sym ${look}" viewBox="0 0 24 24" aria-hidden="true"><use class="shape" href="#cr-shape-${number}"></use>` +
    `<text x="12" y="${number === 2 ? 18.5 : 16.5}">${number}</text><line class="strike" x1="3" y1="21" x2="21" y2="3"></line></svg>`;

  // As symbols.bad: dotted, with a question mark.
  const DOUBT = '<svg class="sym bad" viewBox="0 0 24 24" aria-hidden="true"><use class="shape" href="#cr-shape-bad"></use>' +
    '<text x="12" y="16.5">?</text></svg>';

  function symbolCell(params) {
    const cell = document.createElement("span");
    cell.innerHTML = symbol(params.data.look, params.data.priority) + (params.data.unconfirmed ? DOUBT : "");
    return cell;
  }

  function whatCell(params) {
    const cell = document.createElement("span");
    cell.textContent = params.data.what + " ";
    if (params.data.late) {
      const late = cell.appendChild(document.createElement("span"));
      late.className = "late";
      late.textContent = params.data.late;
    }
    return cell;
  }

  function selected() {
    return api?.getSelectedNodes()[0]?.data ?? null;
  }

  function ask(key, rows, visible = false) {
    emitEvent("alarm_action", { key, visible, rows: rows.map((row) => [row.id, row.revision]) });
  }

  function askVisible() {
    ask("k", visible(), true);
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
    if (event.repeat && [...KEYS, "n", "V"].includes(event.key)) return;  // a key held down is one press
    if (event.key === "n") emitEvent("alarm_show_new", {});
    else if (event.key === "V") askVisible();
    else if (["ArrowDown", "ArrowUp"].includes(event.key) && (!selected() || document.activeElement === document.body)) enter();
    else if (KEYS.includes(event.key) && selected()) ask(event.key, [selected()]);
    else return;
    touch();  // who acts reads: what he acted on stays where it is
    event.preventDefault();
    event.stopPropagation();
  }

  function focus(index) {
    if (!api.getDisplayedRowCount()) return;
    api.ensureIndexVisible(index);
    api.setFocusedCell(index, "tag");
  }

  // Into the list: to the row that is selected, else to the first.
  function enter() {
    focus(api.getSelectedNodes()[0]?.rowIndex ?? 0);
  }

  // The focus is on a place, the selection on a row: after rows moved, the focus follows the row.
  function refocus() {
    const node = api?.getSelectedNodes()[0];
    if (node && node.rowIndex !== null && document.activeElement?.closest(".ag-root")) focus(node.rowIndex);
  }

  // Only a row that is drawn can take the keyboard, and when that is so the grid does not say: until it has it, or the
  // person has put the focus elsewhere.
  function begin(id) {
    const until_ms = performance.now() + BEGIN_MS;
    const when = setInterval(() => {
      const node = api.getRowNode(id);
      if (node && node.rowIndex !== null && document.activeElement === document.body) focus(node.rowIndex);
      if (document.activeElement !== document.body || performance.now() > until_ms) clearInterval(when);
    }, 50);
  }

  function ready(grid, keys, select) {
    api = grid;
    waiting.splice(0).forEach(change);
    KEYS = keys;
    const element = document.querySelector(".cr-grid");
    controlRoom.followScroll(element);
    ["pointermove", "pointerdown", "wheel", "keydown"].forEach((kind) => element.addEventListener(kind, touch, { passive: true }));
    document.addEventListener("keydown", key, true);
    setInterval(judge, 1000);
    api.addEventListener("cellFocused", (event) => {
      if (event.rowIndex !== null) api.getDisplayedRowAtIndex(event.rowIndex)?.setSelected(true, true);
    });
    api.addEventListener("selectionChanged", () => emitEvent("alarm_selected", { id: selected()?.id ?? "" }));
    if (select) begin(select);
  }

  // Add, change, take away, in one go.
  function change(transaction) {
    if (!api) {
      waiting.push(transaction);  // the server holds these rows for shown
      return;
    }
    api.applyTransaction(transaction);
    api.refreshCells({ rowNodes: transaction.update.map((row) => api.getRowNode(row.id)), columns: ["symbol", "what"], force: true });
    refocus();
  }

  return { symbolCell, whatCell, ready, change, selected, visible, askVisible, focus, refocus };
})();
