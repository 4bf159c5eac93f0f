// The list of points: the grid draws the rows, the server sends what changed once a second.
"use strict";
window.pointList = (() => {
  let api = null, waiting = [];

  // Markup comes from the server and is made of numbers and names of ours alone; texts go through textContent.
  function markup(params, field) {
    const cell = document.createElement("span");
    cell.innerHTML = params.data[field];
    return cell;
  }

  function link(params) {
    const cell = document.createElement("a");
    cell.href = params.data.href;
    cell.textContent = params.data.tag;
    return cell;
  }

  function ready(grid) {
    api = grid;
    controlRoom.followScroll(document.querySelector(".cr-grid"));
    waiting.forEach((changes) => api.applyTransaction(changes));
    waiting = [];
  }

  function change(changes) {
    if (api === null) waiting.push(changes);
    else {
      api.applyTransaction(changes);
      // A renderer of markup is not called again for a field of its own: draw the rows that changed.
      const nodes = changes.update.map((row) => api.getRowNode(row.id)).filter(Boolean);
      if (nodes.length) api.refreshCells({ rowNodes: nodes, columns: ["symbol", "bar"], force: true });
    }
  }

  return { ready, change, markup, link };
})();
