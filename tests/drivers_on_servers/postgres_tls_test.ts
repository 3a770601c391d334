import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BroadcastPublishError, BroadcastSubscribeError } from "../../core/mod.ts";
import { PostgresBroadcaster } from "../../drivers/postgres.ts";
import { Witness } from "../drivers/witness.ts";
import { makeFolder, PostgresServer, writeForServer } from "./postgres_server.ts";

/** Signed by itself, for `localhost`, and good for a hundred years. Known to everybody. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrEpQ6MdasCrN1yKr
oYHlbR925NgLCIs+D59i6oR8unOhRANCAASp/x7P7W9tkD7bKFNm/pck432H+utC
IdaVlovDE1ARsuqE+w9hDOyuh2uwSrzklGBG2diMAzJjWFxmxtxai5KM
-----END PRIVATE KEY-----
`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUfCDyYwLhbE23B53Hr2r9ONb+XwswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDIyMjk0NFoYDzIxMjYxMDMx
MjIyOTQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASp/x7P7W9tkD7bKFNm/pck432H+utCIdaVlovDE1ARsuqE+w9hDOyu
h2uwSrzklGBG2diMAzJjWFxmxtxai5KMo2kwZzAdBgNVHQ4EFgQUdsmEOUPSMsps
ytN0/zAJD5mgQiswHwYDVR0jBBgwFoAUdsmEOUPSMspsytN0/zAJD5mgQiswDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhANhwy87mp5lcC6s3/EwtjA2CzOpQVEe337MBoAsf4atGAiA4gWheJW3o
cdlJbiaOniaIRUWXXo1vnOV+ibhftXmGWA==
-----END CERTIFICATE-----
`;

Deno.test("connections are encrypted where the URL says so, and checked, and gone after close", async () => {
  const folder = await makeFolder();
  const [key, certificate] = [`${folder}/key`, `${folder}/certificate`];
  await writeForServer(key, KEY);
  await writeForServer(certificate, CERTIFICATE);
  await using server = await PostgresServer.start(
    ...["-c", "ssl=on", "-c", `ssl_key_file=${key}`, "-c", `ssl_cert_file=${certificate}`],
  );
  await using stranger = server.client();
  const at = (mode: string) =>
    new PostgresBroadcaster({
      url: `${server.url.replace("127.0.0.1", "localhost")}?sslmode=${mode}`,
      prefix: "encrypted",
      timeoutMs: 5_000,
    });
  {
    await using node = at("require");
    const witness = await Witness.on(node, ["c"]);
    await node.publish("c", { event: "n", data: null });
    await witness.until("it", ({ count }) => count === 1);
    const [row] = await stranger.sql`
      select bool_and(ssl) as encrypted, count(*)::int as count
      from pg_stat_ssl join pg_stat_activity using (pid)
      where usename = 'shop' and pid <> pg_backend_pid()`;
    assertEquals(row?.encrypted, true);
    assertEquals(row?.count >= 2, true);
  }
  // Nobody whom this machine trusts has signed it.
  await using node = at("verify-full");
  const ready = node.subscribe("c").ready;
  const errors = await Promise.all([
    assertRejects(() => node.publish("c", { event: "n", data: null }), BroadcastPublishError),
    assertRejects(() => ready, BroadcastSubscribeError),
  ]);
  for (const { message } of errors) assertStringIncludes(message.toLowerCase(), "cert");
  await Deno.remove(folder, { recursive: true });
});
