"use strict";
// The path of this page ends in /docs; the document lies beside it, wherever the gateway is mounted.
SwaggerUIBundle({
  url: new URL("openapi.json", window.location.href).href,
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: false,
  persistAuthorization: false, // a token stays in this tab's memory only
  tryItOutEnabled: true,
  validatorUrl: null, // asks nobody else
  syntaxHighlight: { theme: "agate" },
});
