/** The address and the keys of an object store, as the minio client takes them. */
export interface MinioAddress {
  endPoint: string
  port: number
  useSSL: boolean
  accessKey: string
  secretKey: string
  region: string
  bucket: string
}
