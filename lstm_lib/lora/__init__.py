"""What must be sent over a LoRa link: of a model after a local training, or of a series.

    airtime    frames, seconds on air and hours of n bytes, at the data rates of EU868
    sending    the change of the active arcs against a base, as one compact file
    fragments  a message of several frames: numbered, asked for again where lost, nothing of it before all is there
    dual       dual prediction: both ends forecast, and the sensor sends only where the forecast is wrong
    forecasts  those of dual prediction: a network's, a straight line's, yesterday, the last value
    deltas     plain delta coding, its control
    codes      a sequence autoencoder: a day as a code of a few bytes

Nothing here has met a radio: it counts, packs and simulates.
"""

from .airtime import DATA_RATES, DUTY, OVERHEAD, airtime, hours, payloads, price, symbols, time_on_air
from .codes import Autoencoder, fit_code
from .deltas import delta_pack, delta_unpack
from .dual import Log, Rule, Sensor, Sink, exchange, lost_between
from .forecasts import last_value, of_line, of_network, yesterday
from .fragments import HEADER, Delivery, Inbox, deliver, fragments
from .sending import FORMS, base_digest, load_change, pack, save_change, size, unpack

__all__ = [
    "DATA_RATES", "DUTY", "FORMS", "HEADER", "OVERHEAD", "Autoencoder", "Delivery", "Inbox", "Log", "Rule", "Sensor",
    "Sink", "airtime", "base_digest", "deliver", "delta_pack", "delta_unpack", "exchange", "fit_code", "fragments",
    "hours", "last_value", "load_change", "lost_between", "of_line", "of_network", "pack", "payloads", "price",
    "save_change", "size", "symbols", "time_on_air", "unpack", "yesterday",
]  # fmt: skip
