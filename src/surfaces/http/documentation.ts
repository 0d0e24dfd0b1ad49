import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

export interface DocumentationPage {
  readonly html: string;
  /** Its Content-Security-Policy: exactly the scripts and styles of the page, and calls to this daemon. */
  readonly policy: string;
}

const require = createRequire(import.meta.url);
let text: Promise<string> | undefined;
let page: Promise<DocumentationPage> | undefined;

/** The committed OpenAPI document, read once. */
export function documentText(): Promise<string> {
  text ??= once(readFile(new URL('../../../openapi/v1.json', import.meta.url), 'utf8'), () => {
    text = undefined;
  });
  return text;
}

/** Swagger UI with all it needs in one page, so that it works offline and needs no second route. */
export function documentationPage(): Promise<DocumentationPage> {
  page ??= once(buildPage(), () => {
    page = undefined;
  });
  return page;
}

/** A file that could not be read now may be there the next time. */
function once<T>(reading: Promise<T>, forget: () => void): Promise<T> {
  reading.catch(forget);
  return reading;
}

const begin = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
});`;

async function buildPage(): Promise<DocumentationPage> {
  const [bundle, style] = await Promise.all([
    readFile(require.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js'), 'utf8'),
    readFile(require.resolve('@fastify/swagger-ui/static/swagger-ui.css'), 'utf8'),
  ]);
  // Inside a script element only this would end it; in JavaScript both say the same.
  const scripts = [bundle, begin].map((script) => script.replaceAll('</script', '<\\/script'));
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Waybill API</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<div id="swagger-ui"></div>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hashSource).join(' ')}`,
    `style-src ${hashSource(style)}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, policy };
}

function hashSource(content: string): string {
  return `'sha256-${createHash('sha256').update(content, 'utf8').digest('base64')}'`;
}
