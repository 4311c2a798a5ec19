/** The look of /docs, light or dark as the reader's system is. */
export const DOCS_STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h2 { margin-top: 3rem; border-bottom: 1px solid; }
  h3 { margin-top: 2rem; font-weight: 600; }
  code { font: 0.9em ui-monospace, monospace; }
  nav ul { list-style: none; padding: 0; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #8884; }
  th { padding-top: 0.8rem; }
`;
