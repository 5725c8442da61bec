"""Two views that one writes first: an INSERT a request; a push and a broadcast a request (the seed)."""

import json
import os

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.baselines.settings"
application = get_asgi_application()

# Imported once Django is set up.
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from benchmarks.baselines import INSERT_PATH, QUEUE, SEED_PATH  # noqa: E402
from benchmarks.baselines.models import NaiveTransaction  # noqa: E402

GROUP = "baseline"
OBTAINED = {"message": "Transaction detail was obtained successfully."}


class InsertSerializer(serializers.ModelSerializer[NaiveTransaction]):
    class Meta:
        model = NaiveTransaction
        fields = ["transaction_id", "user", "amount", "status"]


class PushSerializer(serializers.Serializer[None]):
    transaction_id = serializers.CharField(max_length=100)
    user = serializers.IntegerField()
    amount = serializers.IntegerField()
    status = serializers.ChoiceField(["PENDING", "SUCCESS", "FAILED"], default="PENDING")


class InsertView(APIView):
    def post(self, request: Request) -> Response:
        serializer = InsertSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(OBTAINED)


class SeedView(APIView):
    def post(self, request: Request) -> Response:
        serializer = PushSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        record = serializer.data
        redis.Redis.from_url(settings.REDIS_URL).rpush(QUEUE, json.dumps(record))
        async_to_sync(get_channel_layer().group_send)(GROUP, {"type": "send.transaction", "data": record})
        return Response(OBTAINED)


urlpatterns = [path(INSERT_PATH[1:], InsertView.as_view()), path(SEED_PATH[1:], SeedView.as_view())]
