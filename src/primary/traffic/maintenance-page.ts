/** The page that clients see during maintenance, unless the person gives another one. */
export const maintenancePage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Under maintenance</title>
    <style>
      body { font: 1rem/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 32rem; padding: 0 1rem }
    </style>
  </head>
  <body>
    <h1>Under maintenance</h1>
    <p>This service is being worked on and will be back soon. Please try again in a few minutes.</p>
  </body>
</html>
`
