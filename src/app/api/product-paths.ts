import {
  body,
  counted,
  header,
  inPath,
  json,
  noSpace,
  problem,
  signedIn,
  unauthenticated,
  withBody,
} from './openapi-parts.js'

const productId = inPath('id', '^[A-Za-z0-9_-]{1,64}$')

export const productPaths = {
  '/products/{id}': {
    parameters: [productId],
    get: {
      operationId: 'readProduct',
      summary: 'A product, from the cache if it is there',
      responses: {
        200: {
          description: 'The product',
          headers: {
            'X-Cache': header('Where it came from', { type: 'string', enum: ['HIT', 'MISS', 'STALE'] }),
          },
          content: json('Product'),
        },
        400: problem('No valid id'),
        404: problem('There is no such product'),
        ...counted,
      },
    },
    put: {
      operationId: 'writeProduct',
      summary: 'Make or change a product; every reader sees it at once',
      security: signedIn,
      requestBody: body('ProductFields'),
      responses: {
        200: { description: 'Stored', content: json('Product') },
        400: problem('A value is invalid'),
        401: unauthenticated,
        ...withBody,
        403: problem('It belongs to another account, or a page of another origin sent the request'),
        507: noSpace,
      },
    },
  },
}
