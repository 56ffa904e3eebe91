# fmt: off
# ruff: noqa
# pyright: basic, reportAttributeAccessIssue=false
import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SeriesStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERIES_STATUS_UNSPECIFIED: _ClassVar[SeriesStatus]
    SERIES_STATUS_FINISHED: _ClassVar[SeriesStatus]
    SERIES_STATUS_PUBLISHING: _ClassVar[SeriesStatus]
    SERIES_STATUS_HIATUS: _ClassVar[SeriesStatus]
    SERIES_STATUS_DISCONTINUED: _ClassVar[SeriesStatus]
SERIES_STATUS_UNSPECIFIED: SeriesStatus
SERIES_STATUS_FINISHED: SeriesStatus
SERIES_STATUS_PUBLISHING: SeriesStatus
SERIES_STATUS_HIATUS: SeriesStatus
SERIES_STATUS_DISCONTINUED: SeriesStatus

class Product(_message.Message):
    __slots__ = ("asin", "series_id", "title", "series_title", "series_title_ja", "volume", "creators", "genres", "publisher", "status", "mature", "buyable", "creators_ja", "year", "volume_count", "demographics")
    ASIN_FIELD_NUMBER: _ClassVar[int]
    SERIES_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SERIES_TITLE_FIELD_NUMBER: _ClassVar[int]
    SERIES_TITLE_JA_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    CREATORS_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MATURE_FIELD_NUMBER: _ClassVar[int]
    BUYABLE_FIELD_NUMBER: _ClassVar[int]
    CREATORS_JA_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    VOLUME_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEMOGRAPHICS_FIELD_NUMBER: _ClassVar[int]
    asin: str
    series_id: str
    title: str
    series_title: str
    series_title_ja: str
    volume: int
    creators: _containers.RepeatedScalarFieldContainer[str]
    genres: _containers.RepeatedScalarFieldContainer[str]
    publisher: str
    status: SeriesStatus
    mature: bool
    buyable: bool
    creators_ja: _containers.RepeatedScalarFieldContainer[str]
    year: int
    volume_count: int
    demographics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, asin: _Optional[str] = ..., series_id: _Optional[str] = ..., title: _Optional[str] = ..., series_title: _Optional[str] = ..., series_title_ja: _Optional[str] = ..., volume: _Optional[int] = ..., creators: _Optional[_Iterable[str]] = ..., genres: _Optional[_Iterable[str]] = ..., publisher: _Optional[str] = ..., status: _Optional[_Union[SeriesStatus, str]] = ..., mature: _Optional[bool] = ..., buyable: _Optional[bool] = ..., creators_ja: _Optional[_Iterable[str]] = ..., year: _Optional[int] = ..., volume_count: _Optional[int] = ..., demographics: _Optional[_Iterable[str]] = ...) -> None: ...

class Titles(_message.Message):
    __slots__ = ("en", "romaji", "ja")
    EN_FIELD_NUMBER: _ClassVar[int]
    ROMAJI_FIELD_NUMBER: _ClassVar[int]
    JA_FIELD_NUMBER: _ClassVar[int]
    en: str
    romaji: str
    ja: str
    def __init__(self, en: _Optional[str] = ..., romaji: _Optional[str] = ..., ja: _Optional[str] = ...) -> None: ...

class Creator(_message.Message):
    __slots__ = ("name", "name_ja", "also_written", "role")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NAME_JA_FIELD_NUMBER: _ClassVar[int]
    ALSO_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    name_ja: str
    also_written: str
    role: str
    def __init__(self, name: _Optional[str] = ..., name_ja: _Optional[str] = ..., also_written: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class Description(_message.Message):
    __slots__ = ("en", "ja")
    EN_FIELD_NUMBER: _ClassVar[int]
    JA_FIELD_NUMBER: _ClassVar[int]
    en: str
    ja: str
    def __init__(self, en: _Optional[str] = ..., ja: _Optional[str] = ...) -> None: ...

class Rating(_message.Message):
    __slots__ = ("average", "count")
    AVERAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    average: float
    count: int
    def __init__(self, average: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("series_id", "titles", "creators", "type", "year", "status", "volume_count", "genres", "themes", "demographics", "publisher", "publisher_ja", "mature", "description", "rating", "asins")
    SERIES_ID_FIELD_NUMBER: _ClassVar[int]
    TITLES_FIELD_NUMBER: _ClassVar[int]
    CREATORS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VOLUME_COUNT_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    THEMES_FIELD_NUMBER: _ClassVar[int]
    DEMOGRAPHICS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_JA_FIELD_NUMBER: _ClassVar[int]
    MATURE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    ASINS_FIELD_NUMBER: _ClassVar[int]
    series_id: str
    titles: Titles
    creators: _containers.RepeatedCompositeFieldContainer[Creator]
    type: str
    year: int
    status: SeriesStatus
    volume_count: int
    genres: _containers.RepeatedScalarFieldContainer[str]
    themes: _containers.RepeatedScalarFieldContainer[str]
    demographics: _containers.RepeatedScalarFieldContainer[str]
    publisher: str
    publisher_ja: str
    mature: bool
    description: Description
    rating: Rating
    asins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, series_id: _Optional[str] = ..., titles: _Optional[_Union[Titles, _Mapping]] = ..., creators: _Optional[_Iterable[_Union[Creator, _Mapping]]] = ..., type: _Optional[str] = ..., year: _Optional[int] = ..., status: _Optional[_Union[SeriesStatus, str]] = ..., volume_count: _Optional[int] = ..., genres: _Optional[_Iterable[str]] = ..., themes: _Optional[_Iterable[str]] = ..., demographics: _Optional[_Iterable[str]] = ..., publisher: _Optional[str] = ..., publisher_ja: _Optional[str] = ..., mature: _Optional[bool] = ..., description: _Optional[_Union[Description, _Mapping]] = ..., rating: _Optional[_Union[Rating, _Mapping]] = ..., asins: _Optional[_Iterable[str]] = ...) -> None: ...

class GetProductsRequest(_message.Message):
    __slots__ = ("asins",)
    ASINS_FIELD_NUMBER: _ClassVar[int]
    asins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, asins: _Optional[_Iterable[str]] = ...) -> None: ...

class GetProductsResponse(_message.Message):
    __slots__ = ("products", "unknown_asins")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ASINS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[Product]
    unknown_asins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, products: _Optional[_Iterable[_Union[Product, _Mapping]]] = ..., unknown_asins: _Optional[_Iterable[str]] = ...) -> None: ...

class FindProductsRequest(_message.Message):
    __slots__ = ("title", "creator", "genre", "series_id", "page_size", "page_token", "every_volume")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    GENRE_FIELD_NUMBER: _ClassVar[int]
    SERIES_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVERY_VOLUME_FIELD_NUMBER: _ClassVar[int]
    title: str
    creator: str
    genre: str
    series_id: str
    page_size: int
    page_token: str
    every_volume: bool
    def __init__(self, title: _Optional[str] = ..., creator: _Optional[str] = ..., genre: _Optional[str] = ..., series_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., every_volume: _Optional[bool] = ...) -> None: ...

class FindProductsResponse(_message.Message):
    __slots__ = ("products", "next_page_token")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[Product]
    next_page_token: str
    def __init__(self, products: _Optional[_Iterable[_Union[Product, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetSeriesRequest(_message.Message):
    __slots__ = ("series_id",)
    SERIES_ID_FIELD_NUMBER: _ClassVar[int]
    series_id: str
    def __init__(self, series_id: _Optional[str] = ...) -> None: ...

class GetSeriesResponse(_message.Message):
    __slots__ = ("series",)
    SERIES_FIELD_NUMBER: _ClassVar[int]
    series: Series
    def __init__(self, series: _Optional[_Union[Series, _Mapping]] = ...) -> None: ...

class WatchChangesRequest(_message.Message):
    __slots__ = ("resume_token",)
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    def __init__(self, resume_token: _Optional[str] = ...) -> None: ...

class WatchChangesResponse(_message.Message):
    __slots__ = ("series_ids", "changed_at", "resume_token")
    SERIES_IDS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    series_ids: _containers.RepeatedScalarFieldContainer[str]
    changed_at: _timestamp_pb2.Timestamp
    resume_token: str
    def __init__(self, series_ids: _Optional[_Iterable[str]] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...
