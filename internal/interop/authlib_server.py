"""Authlib's authorization server on Flask, with opaque tokens, and an API behind its ResourceProtector.

Settings: lifetime (seconds), clients ({id, secret, method, jwk}), audience of assertions.
"""

import time

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Flask, jsonify, request
from joserfc.jwk import import_key

from stdin_lines import serve, settings

given = settings()
tokens = {}
used = set()


class Client:
    def __init__(self, c):
        self.client_id, self.secret, self.method, self.jwk = c["id"], c.get("secret"), c["method"], c.get("jwk")

    def check_client_secret(self, secret):
        return bool(self.secret) and self.secret == secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope):
        return " ".join(s for s in (scope or "").split() if s == "read")


class Token:
    def __init__(self, client, scope):
        self.client, self.scope, self.expires, self.revoked = client, scope, time.time() + given["lifetime"], False

    def is_expired(self):
        return time.time() >= self.expires

    def is_revoked(self):
        return self.revoked

    def get_scope(self):
        return self.scope


class Assertions(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = "assertion"

    def get_audiences(self):
        return [request.base_url]

    def validate_jti(self, claims, jti):
        fresh = jti not in used
        used.add(jti)
        return fresh

    def resolve_client_public_key(self, client):
        if client.secret:
            return import_key(client.secret, "oct")
        return import_key(client.jwk)


class Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "assertion"]


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return tokens.get(token_string)


def save(token, asked):
    tokens[token["access_token"]] = Token(asked.client, token.get("scope", ""))


app = Flask(__name__)
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": given["lifetime"]}
app.config["OAUTH2_SCOPES_SUPPORTED"] = ["read"]
clients = {c["id"]: Client(c) for c in given["clients"]}
server = AuthorizationServer(app, clients.get, save)
server.register_grant(Grant)
server.register_client_auth_method("assertion", Assertions())
protect = ResourceProtector()
protect.register_token_validator(Validator())


@app.post("/token")
def token():
    return server.create_token_response()


@app.route("/api", methods=["GET", "POST"])
@protect()
def api():
    return jsonify(body=request.get_data(as_text=True))


@app.post("/revoke")
def revoke():
    tokens[request.get_data(as_text=True)].revoked = True
    return "", 204


serve(app, {"token": "/token", "api": "/api", "revoke": "/revoke"})
