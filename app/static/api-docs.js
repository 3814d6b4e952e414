// Shows the API's description with Swagger UI, in the visitor's colours.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const main = document.getElementById("api");
SwaggerUIBundle({
  url: main.dataset.description,
  domNode: main,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // else a badge is fetched from another host
});
