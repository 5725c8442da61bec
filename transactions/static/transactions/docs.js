// Shows the OpenAPI schema with Swagger UI, which asks no server but ours, light or dark as the page is.

const place = document.getElementById("docs");
const root = document.documentElement;

function shade() { root.classList.toggle("dark-mode", root.classList.contains("dark")); }
new MutationObserver(shade).observe(root, { attributeFilter: ["class"] });
shade();

// What Swagger UI leaves without a name for who does not see it, and out of reach of who has keys alone.
function mend() {
  for (const choice of place.querySelectorAll("select:not([aria-label], [id])")) choice.ariaLabel = "Example";
  for (const scrolls of place.querySelectorAll(".microlight:not([tabindex])")) scrolls.tabIndex = 0;
}
new MutationObserver(mend).observe(place, { childList: true, subtree: true });

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  validatorUrl: null,
  displayRequestDuration: true,
  // A session needs it to change anything; a token does not mind it.
  requestInterceptor(request) {
    request.headers["X-CSRFToken"] = place.dataset.csrf;
    return request;
  },
});
