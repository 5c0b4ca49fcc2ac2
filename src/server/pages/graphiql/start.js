// Starts GraphiQL on the page. Keys stay in memory: headers are not kept between visits.
'use strict';

const hint = `# Every request needs an API key. Either
#
# - give it to the browser when it asks: as the
#   user name, with an empty password; or
# - put it into the headers below, as
#     {"Authorization": "Basic …"}
#   where … is what this prints:
#     printf '%s:' "$KEY" | base64 -w0
#
# The round arrow at the bottom left fetches
# the documentation again.

{
  ping
}
`;

// Beside this page, whatever stands before it in the path, and without credentials of the URL.
const url = location.origin + location.pathname.replace(/graphiql$/, 'graphql');

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url }),
    defaultQuery: hint,
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
  }),
);
