import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { MillraceError } from '#contracts';

const FOLDER = new URL('../../../console/src/', import.meta.url);
const PAGE = 'index.html';
const SCRIPTS = ['console.js', 'client.js', 'events.js', 'live.js', 'playground.js', 'table.js', 'tenants.js'];
/** All that there is, by name: no name of a request becomes a path. */
const FILES = new Map([PAGE, 'console.css', ...SCRIPTS].map((name) => [name, readFileSync(new URL(name, FOLDER))]));
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** The console's files, for whoever asks: they hold nothing, and what they show they ask the API for with their user's key. */
@Controller('console')
export class ConsoleController {
  @Get()
  page(@Res() reply: FastifyReply): void {
    send(PAGE, reply);
  }

  @Get(':file')
  file(@Param('file') name: string, @Res() reply: FastifyReply): void {
    send(name, reply);
  }
}

function send(name: string, reply: FastifyReply): void {
  const file = FILES.get(name);
  if (file === undefined) throw new MillraceError('not_found', 'The console has no such file.');
  reply.headers({ ...HEADERS, 'content-type': `${TYPES[extname(name)]}; charset=utf-8` }).send(file);
}
