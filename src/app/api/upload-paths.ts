import {
  changing,
  header,
  inPath,
  json,
  noSpace,
  problem,
  signedIn,
  unauthenticated,
  withBody,
  counted,
} from './openapi-parts.js'

const uploadKey = inPath('key', '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')

const fileHeaders = {
  ETag: header('Changes with the content; good for `If-None-Match`'),
  'Content-Disposition': header('`inline` for safe image types, else `attachment`'),
  'X-Content-Type-Options': header('Always `nosniff`'),
}

export const uploadPaths = {
  '/upload': {
    post: {
      operationId: 'upload',
      summary: 'Store a file, streamed',
      security: signedIn,
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: {
              type: 'object',
              required: ['file'],
              properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
            },
          },
        },
      },
      responses: {
        201: { description: 'Stored', headers: { Location: header('Where it is') }, content: json('StoredFile') },
        400: problem('The form is cut short, or has not exactly one file, in the field `file`'),
        401: unauthenticated,
        408: problem('The file did not arrive in time'),
        ...withBody,
        413: problem('Larger than UPLOAD_MAX_BYTES; nothing is stored'),
        507: noSpace,
      },
    },
  },
  '/uploads/{key}': {
    parameters: [uploadKey],
    get: {
      operationId: 'download',
      summary: 'The file, for any client that has its key; also in ranges',
      parameters: [{ name: 'Range', in: 'header', schema: { type: 'string' } }],
      responses: {
        200: { description: 'All of it', headers: fileHeaders, content: { '*/*': {} } },
        206: { description: 'The range', headers: fileHeaders, content: { '*/*': {} } },
        304: { description: 'Not changed' },
        404: problem('There is no such file'),
        416: problem('The range lies outside the file'),
        ...counted,
      },
    },
    head: {
      operationId: 'describeUpload',
      summary: 'The headers of the file',
      responses: {
        200: { description: 'As of GET', headers: fileHeaders },
        304: { description: 'Not changed' },
        404: { description: 'No such file' },
        429: { description: 'Too many requests' },
        503: { description: 'The storage or Redis is away' },
      },
    },
    delete: {
      operationId: 'deleteUpload',
      summary: 'Delete a file of your own',
      security: signedIn,
      responses: {
        204: { description: 'Deleted' },
        401: unauthenticated,
        404: problem('There is no such file of yours'),
        ...changing,
      },
    },
  },
}
