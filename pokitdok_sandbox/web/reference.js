"use strict";
// Swagger UI over the contract this server serves. validatorUrl: null, for it would ask a server elsewhere.

const ui = SwaggerUIBundle({
  url: "/_sandbox/openapi.json",
  dom_id: "#reference",
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
ui.initOAuth({ clientId: document.body.dataset.clientId, clientSecret: document.body.dataset.clientSecret });
