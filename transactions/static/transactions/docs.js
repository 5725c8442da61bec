// Shows the OpenAPI schema with Swagger UI, which asks no server but ours.

const place = document.getElementById("docs");

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
