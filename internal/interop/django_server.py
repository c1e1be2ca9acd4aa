"""django-oauth-toolkit with its database in a folder of its own, and an API behind its own ProtectedResourceView.

Settings: lifetime (seconds), clients ({id, secret}).
"""

import os
import tempfile

import django
from django.conf import settings as configuration

from stdin_lines import serve, settings

given = settings()
folder = tempfile.TemporaryDirectory()
configuration.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(folder.name, "db"),
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=wal"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={"ACCESS_TOKEN_EXPIRE_SECONDS": given["lifetime"], "SCOPES": {"read": "read"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick; nobody keeps these
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this process alone",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import AccessToken, Application  # noqa: E402
from oauth2_provider.views.generic import ProtectedResourceView  # noqa: E402


class Api(ProtectedResourceView):
    def get(self, request):
        return JsonResponse({"body": ""})

    def post(self, request):
        return JsonResponse({"body": request.body.decode()})


def revoke(request):
    AccessToken.objects.filter(token=request.body.decode()).delete()
    return HttpResponse(status=204)


urlpatterns = [path("o/", include("oauth2_provider.urls")), path("api", Api.as_view()), path("revoke", revoke)]

call_command("migrate", verbosity=0)
for client in given["clients"]:
    Application.objects.create(
        client_id=client["id"],
        client_secret=client["secret"],
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
serve(get_wsgi_application(), {"token": "/o/token/", "api": "/api", "revoke": "/revoke"}, folder.cleanup)
