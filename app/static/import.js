// Sends the import's form by itself and shows how far it is: first the upload, then the rows.
// Without a script the browser sends the form, and the answer leads to the report.

const form = document.querySelector("[data-progress]");
const box = document.getElementById(form.dataset.progress);
const text = document.getElementById("progress-text");
const bar = box.querySelector("progress");
const problem = document.getElementById("progress-problem");
const button = form.querySelector("[type=submit]");

const show = (part, sentence) => {
  bar.value = 100 * part;
  text.textContent = sentence;
};

const fail = (sentence) => {
  box.hidden = true;
  button.disabled = false;
  problem.textContent = sentence;
  problem.hidden = false;
  form.elements.file.focus();
};

form.addEventListener("submit", (event) => {
  const file = form.elements.file.files[0];
  if (!file) return; // the server says what is missing
  event.preventDefault();
  problem.hidden = true;
  if (file.size > Number(form.dataset.largest)) {
    fail("The file is too large. Import it in parts, or with the command flask users import.");
    return;
  }
  button.disabled = true;
  box.hidden = false;
  show(0, "Sending the file …");
  send(file);
});

function send(file) {
  const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
  let read = 0;
  let report = null;
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/x-ndjson, application/problem+json");
  request.upload.addEventListener("progress", (sent) => {
    if (sent.lengthComputable) show(sent.loaded / sent.total / 2, "Sending the file …");
  });
  request.upload.addEventListener("load", () => show(0.5, "Reading the rows …"));
  request.addEventListener("progress", () => {
    if (request.status !== 200) return;
    const end = request.responseText.lastIndexOf("\n") + 1;
    for (const line of request.responseText.slice(read, end).split("\n").filter(Boolean)) {
      const said = JSON.parse(line);
      if (said.report) report = said.report;
      else show(0.5 + said.bytes / file.size / 2, `${said.rows} rows are done …`);
    }
    read = end;
  });
  request.addEventListener("load", () => {
    if (report) {
      show(1, "Done.");
      window.location.assign(report);
    } else fail(reason(request));
  });
  request.addEventListener("error", () =>
    fail("The connection broke. Import the same file again: nothing is stored twice."),
  );
  request.send(new FormData(form));
}

function reason(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return "It broke off. Import the same file again: nothing is stored twice.";
  }
}
