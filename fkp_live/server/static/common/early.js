// Loaded first, and in any browser: where the page's own scripts are missing or too new, it says so in their place.
addEventListener("error", function (event) {
  if (document.documentElement.hasAttribute("data-started")) return;
  var target = event.target || {};
  // Of a module the browser does not say which of its imports is missing. The list of what was loaded does, a little later.
  setTimeout(function () {
    var loaded = performance.getEntriesByType ? performance.getEntriesByType("resource") : [];
    var missing = loaded.filter(function (each) { return each.responseStatus >= 400; });
    var address = missing.length ? missing[0].name : target.src || target.href || "";
    document.getElementById("broken-file").textContent = address ? address + " could not be loaded or read. " : "";
    document.getElementById("broken").hidden = false;
  }, 100);
}, true);
