// Loaded first, and in any browser: where the page's own scripts are missing or too new, it says so in their place.
addEventListener("error", function () {
  if (document.documentElement.hasAttribute("data-started")) return;
  var show = function () { document.getElementById("broken").hidden = false; };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", show);
  else show();
}, true);
