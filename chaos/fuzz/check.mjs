/** Checks an answer: it is documented, valid and typed, and names no repository that its caller may not know. */

const PROBLEM = "application/problem+json";

/** @returns a sentence for each thing that is wrong */
export const checkAnswer = (request, answer, { problem }) => {
  const { operation, caller, method } = request;
  const { status, headers, text, body } = answer;
  const type = (headers["content-type"] ?? "").split(";")[0];
  const wrong = [];
  if (status >= 500 && status !== 503) wrong.push(`status ${status}: ${text.slice(0, 300)}`);
  if (status === 503 && headers["retry-after"] === undefined) wrong.push("503 without Retry-After");
  if (status === 429 && headers["retry-after"] === undefined) wrong.push("429 without Retry-After");
  if (type === "text/html" && !/^\/(docs|\?|$)/.test(request.path)) wrong.push("an answer in HTML");
  if (headers["x-injected"] !== undefined) wrong.push("a header that the request made");
  if (request.isHuge && ![401, 403, 413, 429].includes(status) && operation?.body)
    wrong.push(`a body beyond the limit was answered ${status}`);
  if (status >= 400 && method !== "HEAD") {
    if (type !== PROBLEM) wrong.push(`a refusal (${status}) of the type ${type}`);
    else if (!problem(body))
      wrong.push(`a problem that is not as documented: ${problem.errors[0].message} ${text.slice(0, 300)}`);
    else if (body.status !== status) wrong.push(`a problem of ${body.status} with the status ${status}`);
  }
  if (operation !== undefined && status !== 431) {
    const documented = operation.answers.get(status);
    if (!documented)
      wrong.push(`status ${status} of ${operation.id} is not documented: ${text.slice(0, 200)}`);
    else if (documented.isValid && status < 400 && !documented.isValid(body)) {
      const { instancePath, message } = documented.isValid.errors[0];
      wrong.push(
        `an answer ${status} of ${operation.id} that is not as documented: ${instancePath} ${message}: ${text.slice(0, 400)}`,
      );
    }
  }
  const asked = request.path + (request.body ?? "");
  for (const repo of caller.hidden)
    if (text.includes(repo) && !decoded(asked).includes(repo))
      wrong.push(`${caller.name} (${caller.role ?? "no token"}) was told of ${repo}: ${text.slice(0, 400)}`);
  return wrong;
};

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
