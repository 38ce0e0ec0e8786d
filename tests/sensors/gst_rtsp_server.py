"""GStreamer's RTSP server on the system's own Python: run as ``/usr/bin/python3 gst_rtsp_server.py``, never imported.

Its one argument is JSON: ``{"port": 0, "user": "", "password": "", "mounts": {"/door": ["f.mp4", "h264"]}}``.
Every client gets the file from its beginning, in real time, over RTP; H.264 or H.265 as the file holds it. With a user
it asks for digest authentication. Prints the port that it listens on, then serves until it is killed.
"""

import json
import sys

import gi

for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PAYLOADERS = {"h264": "rtph264pay", "h265": "rtph265pay"}


def main() -> None:
    settings = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(settings["port"]))
    if settings["user"]:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_digest(settings["user"], settings["password"], token)
        server.set_auth(auth)
    for path, (file, codec) in settings["mounts"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( filesrc location={file} ! qtdemux ! {PAYLOADERS[codec]} name=pay0 config-interval=1 )")
        if settings["user"]:
            access = Gst.Structure.new_from_string("viewer, media.factory.access=true, media.factory.construct=true")
            factory.add_role_from_structure(access)
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
